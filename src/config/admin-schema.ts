// The shapes of `admin:` and `enforcement:`: who may set caps, and how caps are held. What a shape cannot say is in
// admin-checks.ts, what is only worth a warning in warnings.ts; what is made of it all is spend/'s.
import { FormatRegistry, type Static, Type } from "@sinclair/typebox";
import { closed, list } from "./pieces.ts";

FormatRegistry.Set("request-tag", (name) => /^(?!anthropic)[\w.:/=+@-]{1,64}$/i.test(name));

/** A credential of the admin API. */
const adminKey = Type.Object(
  {
    id: Type.String({ description: "a name for the audit trail" }),
    key: Type.String({ minLength: 32, description: "a secret of at least 32 characters" }),
  },
  closed,
);

/** A retention in days or months. However many: store/retention.ts knows where time ends. */
const kept = (value: number) =>
  Type.Integer({ minimum: 1, default: value, description: "a whole number, 1 or more" });

export const admin = Type.Object(
  {
    /** May read and change caps. */
    write_keys: list(adminKey),
    /** May read them. */
    read_keys: list(adminKey),
    /** People in one of these groups may do both with their own bearer. */
    admin_groups: list(Type.String({ description: "a group name" })),
    /** Ends the message of a refusal: whom to ask. Empty: nothing does. */
    blocked_message: Type.Optional(Type.String({ description: "a text" })),
    audit_retention_days: kept(365),
    spend_retention_months: kept(13),
    identity_retention_days: kept(90),
    /** Which of the caps of somebody's groups counts: the lowest or the highest. */
    group_limit_mode: Type.Union([Type.Literal("min"), Type.Literal("max")], { default: "min" }),
    /** Name of the request tag that says which of the developer's groups a request is for. */
    billing_group_tag: Type.Optional(
      Type.String({
        format: "request-tag",
        description:
          '1 to 64 characters, each an ASCII letter, a digit or one of _ . : / = + - @, and must not start with "anthropic" in any letter case',
      }),
    ),
  },
  closed,
);

export const enforcement = Type.Object(
  {
    /** Refuse requests while the caps cannot be read. */
    fail_closed_on_error: Type.Boolean({ default: false }),
    /** Count what requests under way may cost at most against the caps of further ones. */
    reserve: Type.Boolean({ default: true }),
  },
  { ...closed, default: {} },
);

export type AdminConfig = Static<typeof admin>;
