// `admin:` and `enforcement:`: what is refused, with its reason in its place, and what a configuration without a word has.
import { describe, expect, test } from "bun:test";
import { describeRefused, type Edit, edited, load, type Refused, said } from "./samples.ts";

const key = "0123456789abcdef0123456789abcdef";

const withAdmin =
  (admin: unknown): Edit =>
  (c) =>
    (c.admin = admin);
const refusal = (what: string, admin: unknown, ...expected: string[]): Refused => [
  what,
  withAdmin(admin),
  ...expected.map((one) => `admin${one}`),
];
const repeated = (id: string) =>
  `.id → admin key id '${id}' is repeated; key ids must be unique for audit attribution`;
const aSecret = "must be a secret of at least 32 characters";
const emptyGroup =
  "admin.admin_groups contains an empty entry — it names no group, so it makes nobody an admin, or whoever has a group without a name; set a group name or remove the entry";
const aTag =
  'must be 1 to 64 characters, each an ASCII letter, a digit or one of _ . : / = + - @, and must not start with "anthropic" in any letter case';
const unread = (why: string) => `has no effect without an admin: block — ${why}`;
const enforcementOnly = unread("spend enforcement only runs when admin is configured");
const journalOnly = unread(
  "spend, which is what the journal keeps, is only counted when admin is configured",
);

describeRefused({
  "keys of the admin API": [
    refusal(
      "a short one, which is not repeated",
      { write_keys: [{ id: "a", key: "short" }] },
      `.write_keys[0].key → ${aSecret}, got text of 5 characters`,
    ),
    refusal(
      "one of 31 characters",
      { read_keys: [{ id: "a", key: key.slice(1) }] },
      `.read_keys[0].key → ${aSecret}, got text of 31 characters`,
    ),
    refusal(
      "no name and no secret",
      { write_keys: [{}] },
      ".write_keys[0].id → admin.write_keys[0].id is required: a name for the audit trail",
      ".write_keys[0].key → admin.write_keys[0].key is required: a secret of at least 32 characters",
    ),
    refusal(
      "anything else",
      { write_keys: [{ id: "a", key, scope: "all" }] },
      ".write_keys[0].scope → unknown key; known here: id, key",
    ),
    ...["write_keys", "read_keys"].flatMap((list): Refused[] => [
      refusal(
        `${list}: a secret where the list belongs`,
        { [list]: key },
        `.${list} → must be a list (array), got text of 32 characters`,
      ),
      refusal(
        `${list}: a secret where its mapping belongs`,
        { [list]: [key] },
        `.${list}[0] → must be a mapping with id, key, got text of 32 characters`,
      ),
    ]),
    refusal(
      "a name given twice, in one list and across both",
      {
        write_keys: [
          { id: "tf", key },
          { id: "b", key },
          { id: "tf", key },
        ],
        read_keys: [
          { id: "c", key },
          { id: "b", key },
        ],
      },
      `.write_keys[2]${repeated("tf")}`,
      `.read_keys[1]${repeated("b")}`,
    ),
  ],
  "what else is under admin": [
    refusal("nothing", null, " → must be a mapping, got nothing"),
    refusal(
      "keys that it does not have",
      { admin_group: [], pools: [] },
      '.admin_group → unknown key; did you mean "admin_groups"?',
      ".pools → unknown key; known here: write_keys, read_keys, admin_groups, blocked_message, audit_retention_days, spend_retention_months, identity_retention_days, group_limit_mode, billing_group_tag",
    ),
    refusal(
      "groups without a name",
      { admin_groups: ["finance", "", ""] },
      `.admin_groups[1] → ${emptyGroup}`,
      `.admin_groups[2] → ${emptyGroup}`,
    ),
    ...["audit_retention_days", "identity_retention_days", "spend_retention_months"].flatMap(
      (name) =>
        [0, -1, 1.5].map((value) =>
          refusal(
            `${name} of ${value}`,
            { [name]: value },
            `.${name} → must be a whole number, 1 or more, got ${value}`,
          ),
        ),
    ),
    refusal(
      "another way to choose among the caps of groups",
      { group_limit_mode: "avg" },
      '.group_limit_mode → must be one of min, max, got "avg"',
    ),
    refusal(
      "a message that is no text",
      { blocked_message: 5 },
      ".blocked_message → must be a text, got 5; write it in quotes",
    ),
    refusal(
      "no name of a tag",
      { billing_group_tag: "" },
      `.billing_group_tag → ${aTag}, got an empty string`,
    ),
    ...["a b", "a,b", "é", "Anthropic-team", "anthropic", "a\n"].map((name) =>
      refusal(
        `${JSON.stringify(name)} as the name of a tag`,
        { billing_group_tag: name },
        `.billing_group_tag → ${aTag}, got ${JSON.stringify(name)}`,
      ),
    ),
    refusal(
      "a tag's name of 65 characters",
      { billing_group_tag: "x".repeat(65) },
      `.billing_group_tag → ${aTag}, got "${"x".repeat(60)}…"`,
    ),
  ],
  enforcement: [
    [
      "what nobody enforces",
      (c) => {
        c.enforcement = { fail_closed_on_error: true, reserve: false };
        c.store.journal = "/var/lib/journal";
      },
      // In the order of the file.
      `store.journal → ${journalOnly}`,
      `enforcement.fail_closed_on_error → ${enforcementOnly}`,
      `enforcement.reserve → ${enforcementOnly}`,
    ],
    [
      "words for true and false",
      (c) => {
        c.admin = {};
        c.enforcement = { fail_closed_on_error: "yes", reserve: 1 };
      },
      'enforcement.fail_closed_on_error → must be true or false, got "yes"',
      "enforcement.reserve → must be true or false, got 1",
    ],
    [
      "anything else",
      (c) => (c.enforcement = { mode: "soft" }),
      "enforcement.mode → unknown key; known here: fail_closed_on_error, reserve",
    ],
  ],
});

describe("accepted", () => {
  test("an empty block has every default, and nobody who may set caps", () => {
    expect(load(edited(withAdmin({}))).config.admin).toEqual({
      write_keys: [],
      read_keys: [],
      admin_groups: [],
      audit_retention_days: 365,
      spend_retention_months: 13,
      identity_retention_days: 90,
      group_limit_mode: "min",
    });
  });

  test("without a block there is no admin, and enforcement may say what it does anyway", () => {
    const { config } = load(
      edited((c) => (c.enforcement = { fail_closed_on_error: false, reserve: true })),
    );
    expect("admin" in config).toBe(false);
    expect(config.enforcement).toEqual({ fail_closed_on_error: false, reserve: true });
  });

  test("with any admin block, settings of spend have their effect", () => {
    const text = edited((c) => {
      c.admin = {};
      c.enforcement = { fail_closed_on_error: true, reserve: false };
      c.store.journal = "/var/lib/journal";
    });
    expect(said(text)).toEqual([]);
  });

  test("settings of spend are not said to lack a block that cannot be read", () => {
    const text = edited((c) => {
      c.admin = "x";
      c.enforcement = { fail_closed_on_error: true };
    });
    expect(said(text)).toEqual(["admin → must be a mapping, got text of 1 characters"]);
  });

  test.each<[string, object]>([
    ["names that differ in case", { write_keys: [{ id: "a", key }], read_keys: [{ id: "A", key }] }],
    ["an empty name, and an empty message", { write_keys: [{ id: "", key }], blocked_message: "" }],
    ["a secret out of a variable, as all numbers may be", { write_keys: [{ id: "a", key: "${K}" }], audit_retention_days: "5" }],
    ["every character that a tag's name may have", { billing_group_tag: "aZ09_.:/=+-@" }],
    ["a tag's name of 64 characters, or with the word further on", { billing_group_tag: `not-anthropic${"x".repeat(51)}` }],
    ["everything for ever", { audit_retention_days: 1, spend_retention_months: 1e9, identity_retention_days: 1e308 }],
  ])("%s", (_, admin) => {
    expect(said(edited(withAdmin(admin)), { env: { K: key } })).toEqual([]);
  }); // prettier-ignore
});
