// What a settings document may hold and hardly means: keys inside it, and tools in its permission rules, that Claude Code does not
// know and that look like ones it does. They are handed out as they are written, since a newer Claude Code may know them; what
// looks like nothing known is passed over. Keys of the document itself are refused with its shape.
import { KindGuard, type TObject, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { derivedOnce } from "../derived.ts";
import { isMapping, memberOf, type SettingsDocument } from "../mapping.ts";
import { formatPath, type Path, quote } from "../problems.ts";
import { nearestOf } from "../spelling.ts";
import { claudeCodeSettings, describedVersion } from "./settings.ts";
import { mayBeTool, toolMeant } from "./tools.ts";

/** A document that has its shape, and where it stands. */
export type PlacedDocument = { path: Path; document: SettingsDocument };

/** Something unknown; asked, the sentence on what was meant by it, if that can be told. */
type Unknown = () => string | undefined;

/** Most unknown keys, and most unknown tools, that are compared with the known ones, in all documents together. */
const comparedMax = 200;

/** Sentences for the boot log; they begin with the place that they are about. */
export function nearMisses(documents: readonly PlacedDocument[]): string[] {
  const kinds = {
    "keys inside settings documents": unknownKeys,
    "tools of permission rules": unknownTools,
  };
  return Object.entries(kinds).flatMap(([what, unknownIn]) => {
    const unknown = [
      ...documents
        .values()
        .flatMap(unknownIn)
        .take(comparedMax + 1),
    ];
    const sentences = unknown.slice(0, comparedMax).flatMap((told) => told() ?? []);
    return unknown.length > comparedMax
      ? [
          ...sentences,
          `managed.policies: more than ${comparedMax} ${what} are unknown to Claude Code ${describedVersion}; those after the first ${comparedMax} were not looked at for misspellings`,
        ]
      : sentences;
  });
}

function unknownKeys({ path, document }: PlacedDocument): Generator<Unknown> {
  return unknownKeysIn(claudeCodeSettings, document, path);
}

/** As deep as the table of settings goes. Names that people choose, as in `env`, are no keys. */
function* unknownKeysIn(schema: TSchema, value: unknown, path: Path): Generator<Unknown> {
  if (typeof value !== "object" || value === null) return;
  if (KindGuard.IsUnion(schema)) {
    const arm = schema.anyOf.find((one) => Value.Check(one, value));
    if (arm !== undefined) yield* unknownKeysIn(arm, value, path);
  } else if (Array.isArray(value)) {
    if (!KindGuard.IsArray(schema)) return;
    for (const [index, item] of value.entries()) {
      yield* unknownKeysIn(schema.items, item, [...path, index]);
    }
  } else if (isMapping(value)) {
    for (const [key, item] of Object.entries(value)) {
      const here = [...path, key];
      const below = shapeBelow(schema, key);
      if (below !== undefined) yield* unknownKeysIn(below, item, here);
      else if (KindGuard.IsObject(schema)) yield () => misspeltKey(schema, key, here);
    }
  }
}

/** The shape of a member; undefined of one that is not in the table. */
function shapeBelow(schema: TSchema, key: string): TSchema | undefined {
  if (KindGuard.IsRecord(schema)) return Object.values(schema.patternProperties)[0];
  if (!KindGuard.IsObject(schema) || !Object.hasOwn(schema.properties, key)) return undefined;
  return schema.properties[key];
}

function misspeltKey(schema: TObject, key: string, path: Path): string | undefined {
  const meant = nearestKeyOf(schema)(key);
  return meant === undefined
    ? undefined
    : `${formatPath(path)}: no key of Claude Code ${describedVersion}, which ignores what it does not know; did you mean "${meant}"?`;
}

const nearestKeyOf = derivedOnce(({ properties }: TObject) =>
  nearestOf(Object.keys(properties).filter((key) => properties[key]?.refused === undefined)),
);

function* unknownTools({ path, document }: PlacedDocument): Generator<Unknown> {
  for (const list of ["allow", "ask", "deny"]) {
    const rules = memberOf(document.permissions, list);
    if (!Array.isArray(rules)) continue;
    for (const [index, rule] of rules.entries()) {
      const [tool = ""] = String(rule).split("(", 1);
      if (!mayBeTool(tool)) yield () => misspeltTool(tool, [...path, "permissions", list, index]);
    }
  }
}

function misspeltTool(tool: string, path: Path): string | undefined {
  const meant = toolMeant(tool);
  return meant === undefined
    ? undefined
    : `${formatPath(path)}: ${quote(tool)} names no tool of Claude Code ${describedVersion}, where blanks and case count, so the rule has no effect; did you mean ${quote(meant)}?`;
}
