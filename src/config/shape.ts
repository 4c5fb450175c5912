// Holds a parsed configuration against the schema: reports what does not fit in words for a person, turns numeric strings
// into numbers, fills in defaults. TypeBox decides on every single value; the walk is ours because TypeBox's own report
// speaks of every arm of a union and ends after a few errors.
import {
  KindGuard,
  type TArray,
  type TObject,
  type TRecord,
  type TSchema,
  type TUnion,
} from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { derivedOnce } from "./derived.ts";
import { armsFor, expected, gist, holdsMappings, isNumeric, isWord, kind } from "./expectation.ts";
import { isMapping } from "./mapping.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";
import { nearestOf } from "./spelling.ts";
import { notSupported, unsupportedKeys } from "./unsupported.ts";

export type Shaped = {
  /** What fits, with defaults. What does not is `undefined`, in its place. */
  value: unknown;
  findings: Finding[];
};

/** Unknown keys that are compared with the known ones. Nobody reads of more, and each takes a look at all that are known. */
const comparedMax = 200;

/** @param fromOutside paths whose text came out of a variable or a file; their values are not repeated in a message. */
export function shapeSettings(
  root: TObject,
  settings: unknown,
  fromOutside: ReadonlySet<string>,
): Shaped {
  const findings: Finding[] = [];
  const report = (path: Path, message: string) => findings.push({ path, message });
  /** Inside a document that is handed out as it is written: nothing is read into it. */
  let isVerbatim = false;
  let comparisonsLeft = comparedMax;

  function read(schema: TSchema, value: unknown, path: Path): unknown {
    if (schema.verbatim !== true || isVerbatim) return readShape(schema, value, path);
    isVerbatim = true;
    const document = readShape(schema, value, path);
    isVerbatim = false;
    return document;
  }

  function readShape(schema: TSchema, value: unknown, path: Path): unknown {
    if (schema.discriminator !== undefined) return readByTag(schema, value, path);
    if (KindGuard.IsUnion(schema)) return readUnion(schema, value, path);
    if (KindGuard.IsObject(schema)) {
      return isMapping(value) ? readObject(schema, value, path) : misfit(schema, value, path);
    }
    if (KindGuard.IsRecord(schema)) {
      return isMapping(value) ? readRecord(schema, value, path) : misfit(schema, value, path);
    }
    if (KindGuard.IsArray(schema)) {
      return Array.isArray(value) ? readArray(schema, value, path) : misfit(schema, value, path);
    }
    const single = isNumeric(schema) && !isVerbatim ? numberIn(value) : value;
    return Value.Check(schema, single) ? single : misfit(schema, value, path);
  }

  /** Keys stay in the order they are written in; defaults come behind them. */
  function readObject(schema: TObject, value: Record<string, unknown>, path: Path): unknown {
    const { known, neededAlways } = membersOf(schema);
    const isOpen = schema.additionalProperties !== false;
    if (!isOpen) reportUnknownKeys(known, value, path, schema.whenUnknown);
    const written = Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
      const property = known.get(key);
      if (property === undefined) return isOpen ? [[key, item]] : [];
      if (typeof property.refused !== "string")
        return [[key, read(property, item, [...path, key])]];
      report([...path, key], property.refused);
      return [];
    });
    const absent = neededAlways.filter(([key]) => !Object.hasOwn(value, key));
    const filledIn = absent.flatMap(([key, property]): [string, unknown][] => {
      const keyPath = [...path, key];
      if ("default" in property) return [[key, read(property, property.default, keyPath)]];
      report(keyPath, `${formatPath(keyPath)} is required: ${expected(property)}`);
      return [];
    });
    return Object.fromEntries([...written, ...filledIn]);
  }

  function readRecord(schema: TRecord, value: Record<string, unknown>, path: Path): unknown {
    const [[pattern, values] = []] = Object.entries(schema.patternProperties);
    if (pattern === undefined || values === undefined) return value;
    if (schema.additionalProperties === false) {
      const names = new RegExp(pattern);
      for (const key of Object.keys(value).filter((name) => !names.test(name))) {
        report([...path, key], String(schema.whenUnknown ?? `unknown key; has to be ${pattern}`));
      }
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, read(values, item, [...path, key])]),
    );
  }

  function readArray(schema: TArray, value: readonly unknown[], path: Path): unknown {
    const { minItems = 0, maxItems = Infinity } = schema;
    if (value.length < minItems) {
      report(path, String(schema.whenEmpty ?? "needs at least one entry"));
    }
    if (value.length > maxItems) {
      report(path, String(schema.whenFull ?? `may have at most ${maxItems} entries`));
    }
    return value.map((item, index) => read(schema.items, item, [...path, index]));
  }

  /** One shape of several, chosen by a tag: an upstream by its `provider`. */
  function readByTag(schema: TSchema, value: unknown, path: Path): unknown {
    const tag = String(schema.discriminator);
    if (!isMapping(value)) return misfit(schema, value, path);
    const arms = (KindGuard.IsUnion(schema) ? schema.anyOf : [schema]).filter(KindGuard.IsObject);
    const arm = arms.find(({ properties }) => properties[tag]?.const === value[tag]);
    if (arm !== undefined) return readObject(arm, value, path);
    const known = arms.map(({ properties }) => String(properties[tag]?.const));
    readWord(known, value[tag], [...path, tag], Object.hasOwn(value, tag));
    return undefined;
  }

  function readUnion(schema: TUnion, value: unknown, path: Path): unknown {
    if (schema.anyOf.every(isWord)) {
      const words = schema.anyOf.map(({ const: word }) => String(word));
      return readWord(words, value, path, true);
    }
    if (isMapping(value) && schema.anyOf.every(KindGuard.IsObject)) {
      return readForm(schema.anyOf, value, path);
    }
    const arms = armsFor(schema, value);
    const arm = arms.length > 1 ? arms.find((one) => Value.Check(one, value)) : arms[0];
    return arm === undefined ? misfit(schema, value, path) : read(arm, value, path);
  }

  /** One of several words. */
  function readWord(
    known: readonly string[],
    value: unknown,
    path: Path,
    present: boolean,
  ): unknown {
    if (typeof value === "string" && known.includes(value)) return value;
    const choice = `one of ${known.join(", ")}`;
    if (present) report(path, `must be ${choice}, got ${gist(value, path, fromOutside)}`);
    else report(path, `${formatPath(path)} is required: ${choice}`);
    return undefined;
  }

  /** One of several forms, each known by its first key: a credential as `api_key` or as `oauth_token`. */
  function readForm(
    forms: readonly TObject[],
    value: Record<string, unknown>,
    path: Path,
  ): unknown {
    const names = forms.map(({ properties }) => Object.keys(properties)[0] ?? "");
    const present = names.filter((name) => Object.hasOwn(value, name));
    const form = forms[names.indexOf(present[0] ?? "")];
    if (form !== undefined && present.length === 1) return readObject(form, value, path);
    const known = new Set(forms.flatMap(({ properties }) => Object.keys(properties)));
    const strange = reportUnknownKeys(known, value, path);
    if (present.length > 1) {
      report(path, `${present.join(" and ")} exclude each other: set one of them`);
    } else if (!strange) {
      report(path, `needs one of ${names.join(", ")}`);
    }
    return undefined;
  }

  /** Whether there were any. */
  function reportUnknownKeys(
    known: { has(key: string): boolean; keys(): Iterable<string> },
    value: Record<string, unknown>,
    path: Path,
    whenUnknown?: unknown,
  ): boolean {
    const strange = Object.keys(value).filter((key) => !known.has(key));
    if (strange.length === 0) return false;
    const names = [...known.keys()];
    const advice =
      typeof whenUnknown === "string" ? whenUnknown : `known here: ${names.join(", ")}`;
    const later = unsupportedKeys(formatPath(path));
    const nearest = nearestOf(comparisonsLeft > 0 ? names : []);
    for (const key of strange) {
      comparisonsLeft -= 1;
      const meant = comparisonsLeft < 0 ? undefined : nearest(key);
      if (later.includes(key)) report([...path, key], notSupported);
      else if (meant !== undefined) report([...path, key], `unknown key; did you mean "${meant}"?`);
      else report([...path, key], `unknown key; ${advice}`);
    }
    return true;
  }

  return { value: read(root, settings, []), findings };

  function misfit(schema: TSchema, value: unknown, path: Path): undefined {
    const isText = KindGuard.IsString(schema);
    const quotes = isText && /^(number|boolean)$/.test(typeof value) ? "; write it in quotes" : "";
    // A single value where a mapping belongs may be the secret that belongs inside: `auth: sk-…`.
    const got = holdsMappings(schema) ? kind(value) : gist(value, path, fromOutside);
    report(path, `must be ${expected(schema)}, got ${got}${quotes}`);
  }
}

/** The members of a mapping by name, and those that it has also when nobody wrote them, or else lacks. */
const membersOf = derivedOnce(({ properties }: TObject) => ({
  known: new Map(Object.entries(properties)),
  neededAlways: Object.entries(properties).filter(
    ([, property]) => "default" in property || !KindGuard.IsOptional(property),
  ),
}));

/**
 * A number, also out of a string, as an environment variable gives it: what JavaScript's Number reads, so ` 5 `, `0x10` and
 * `1e1` too. Unlike there, an empty string is no number: an empty variable must not become port 0.
 */
function numberIn(value: unknown): unknown {
  return typeof value === "string" && value.trim() !== "" ? Number(value) : value;
}
