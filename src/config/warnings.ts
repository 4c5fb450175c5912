// What a configuration may say and hardly means, in sentences for the boot log. What needs the catalog of models to be
// noticed is in models/warnings.ts.
import type { Config } from "./schema.ts";

type Read = Pick<Config, "models" | "upstreams">;

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
