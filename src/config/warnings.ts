// What a configuration may say and hardly means, in sentences for the boot log. What needs the catalog of models to be
// noticed is in models/warnings.ts.
import { keyLists } from "./admin-checks.ts";
import type { Config } from "./schema.ts";
import { plainValue } from "./static-headers.ts";
import { isLoopbackHost } from "./addresses.ts";
import { signals } from "./telemetry-schema.ts";

type Read = Pick<
  Config,
  "admin" | "listen" | "metrics" | "models" | "policies" | "pricing" | "telemetry" | "upstreams"
>;

/** Longest `admin.blocked_message` that fits behind the reason of a refusal, in characters. */
const blockedMessageLengthMax = 200;

const rules: readonly ((config: Read) => readonly string[])[] = [
  ({ models }) => {
    const ids = models.map(({ id }) => id);
    const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) < index));
    return [...repeated].map((id) => `models: the id '${id}' is listed more than once`);
  },
  ({ upstreams }) =>
    upstreams.flatMap(({ name, provider, base_url: baseUrl }) =>
      belowAnthropic.has(provider) && baseUrl !== undefined && !hasAnthropicStep(baseUrl)
        ? [
            `upstream '${name}': base_url has no /anthropic in its path, and requests go to base_url + /v1/messages. ` +
              `The provider serves the Messages API below /anthropic: add it, unless a proxy at base_url does`,
          ]
        : [],
    ),
  ({ listen, telemetry }) =>
    telemetry !== undefined && telemetry.forward_to.length > 0 && listen.public_url === undefined
      ? [
          "telemetry.forward_to is configured but listen.public_url is not — clients will not be told to export OTLP. " +
            "Set listen.public_url so that /managed/settings can push OTEL_EXPORTER_OTLP_ENDPOINT.",
        ]
      : [],
  ({ telemetry }) =>
    telemetry?.forward_to.length === 0 && Object.keys(telemetry.resource_attributes).length > 0
      ? [
          "telemetry.resource_attributes is set but telemetry.forward_to is empty, so the labels are not applied",
        ]
      : [],
  ({ telemetry }) =>
    telemetry?.verify_identity === true &&
    !telemetry.forward_to.some((destination) => signals.some((signal) => destination[signal]))
      ? [
          "telemetry.verify_identity is on, but no destination takes what clients export, so there is nothing to verify",
        ]
      : [],
  ({ metrics }) =>
    metrics !== undefined && !isLoopbackHost(metrics.host)
      ? [
          `metrics.host is ${metrics.host}: /metrics is served beyond this machine, and asks nobody who they are. Keep the port on a private network.`,
        ]
      : [],
  ({ admin, policies, pricing: { multiplier } = { multiplier: 1 } }) => {
    if (multiplier <= 1) return [];
    const consequences = [
      ...(admin === undefined
        ? []
        : [
            `Spend limits count ${multiplier}× the price, so developers reach them sooner. Raise the caps if that is not intended.`,
          ]),
      ...(policies.length === 0
        ? []
        : [
            "Claude Code clients older than v2.1.270 ignore a multiplier above 1 and show costs without the markup.",
          ]),
    ];
    return [`pricing.multiplier is ${multiplier}, a markup. ${consequences.join(" ")}`];
  },
  ({ admin }) =>
    admin !== undefined && admin.write_keys.length === 0 && admin.admin_groups.length === 0
      ? [
          "admin has neither write_keys nor admin_groups, so nobody can set a spend limit. Add a key, or a group whose members may.",
        ]
      : [],
  ({ admin }) =>
    keyLists.flatMap((list) =>
      (admin?.[list] ?? []).some(({ id }) => id.trim() === "")
        ? [
            `admin.${list} has a key without an id, so the trail cannot say whose it is. Give it a name.`,
          ]
        : [],
    ),
  ({ admin }) => {
    const ids = new Map<string, string[]>();
    for (const { id, key } of keyLists.flatMap((list) => admin?.[list] ?? [])) {
      ids.set(key, [...(ids.get(key) ?? []), id]);
    }
    return [...ids.values()]
      .filter(({ length }) => length > 1)
      .map(
        ([first, ...others]) =>
          `admin keys '${first}' and ${others.map((id) => `'${id}'`).join(", ")} are the same secret, so the trail cannot tell who used it, and it may do what any of them may. Give each a secret of its own.`,
      );
  },
  ({ admin }) =>
    keyLists.flatMap((list) =>
      (admin?.[list] ?? [])
        .filter(({ key }) => !plainValue.test(key))
        .map(
          ({ id }) =>
            `admin key '${id}' has a blank at an end, or characters that are not printable ASCII, so no x-api-key header can carry it.`,
        ),
    ),
  ({ admin: { blocked_message: { length } = "" } = {} }) =>
    length > blockedMessageLengthMax
      ? [
          `admin.blocked_message is ${length} characters long. It stands behind the reason of every refusal, in one line of a terminal: keep it to ${blockedMessageLengthMax}.`,
        ]
      : [],
];

/** Everything that is worth a warning. */
export function warningsOf(config: Read): string[] {
  return rules.flatMap((rule) => rule(config));
}

/** Providers that serve the Messages API below a path, which a `base_url` has to repeat. */
const belowAnthropic: ReadonlySet<string> = new Set(["mantle", "foundry"]);

function hasAnthropicStep(baseUrl: string): boolean {
  return URL.parse(baseUrl)?.pathname.split("/").includes("anthropic") ?? false;
}
