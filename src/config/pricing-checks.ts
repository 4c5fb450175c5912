// What the shape of `pricing:` cannot say: that somebody reads it, and that each row is the only one for an upstream that is
// there. A rule passes over what does not have its shape.
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";
import { nameOf } from "./upstream-checks.ts";

type Settings = Pick<Partly<Written>, "pricing" | "managed" | "upstreams">;

type Surroundings = {
  /** What all spellings of one model have in common; of other ids, what their cases have. */
  modelKeyOf: (spelling: string) => string;
};

const rules: readonly ((settings: Settings, around: Surroundings) => readonly Finding[])[] = [
  (settings) =>
    when(
      // Policies that do not have their shape may still be meant.
      "pricing" in settings &&
        (!("managed" in settings) || settings.managed?.policies?.length === 0),
      ["pricing"],
      "has no effect without an admin: block or a managed: block with at least one policy — the spend meter (admin) and the modelPricing pushed to clients (managed) are the only readers",
    ),

  ({ pricing, upstreams }) => {
    const names = upstreams?.map(nameOf);
    // An upstream that could not be read may be the one that is meant.
    if (names === undefined || names.includes(undefined)) return [];
    return (pricing?.overrides ?? []).flatMap((row, index) =>
      when(
        row?.upstream !== undefined && !names.includes(row.upstream),
        ["pricing", "overrides", index, "upstream"],
        `references unknown upstream '${row?.upstream}'`,
      ),
    );
  },

  ({ pricing }, { modelKeyOf }) => {
    const firstSpelling = new Map<string, string>();
    return (pricing?.overrides ?? []).flatMap((row, index) => {
      const { upstream, model } = row ?? {};
      if (upstream === undefined || model === undefined) return [];
      const key = JSON.stringify([upstream, modelKeyOf(model)]);
      const first = firstSpelling.get(key);
      if (first === undefined) firstSpelling.set(key, model);
      return when(
        first !== undefined,
        ["pricing", "overrides", index],
        `duplicates the pricing override for '${first}' on upstream '${upstream}'`,
      );
    });
  },
];

/** Every broken rule. */
export function checkPricing(settings: Settings, around: Surroundings): Finding[] {
  return rules.flatMap((rule) => rule(settings, around));
}
