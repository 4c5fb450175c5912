// Keys of a `desktop` document that the tables here do not name. A newer Claude Desktop may know them, so most are handed out as
// they are written; what looks like a slip, like a section of gateway.yaml in the wrong place, or like something the gateway
// answers itself is refused, since nobody would notice that it has no effect.
import { KindGuard, type TSchema } from "@sinclair/typebox";
import { isMapping } from "../mapping.ts";
import { documentKeys } from "../policy-schema.ts";
import { type Finding, formatPath, type Path } from "../problems.ts";
import { sections } from "../schema.ts";
import { nearest } from "../spelling.ts";
import { unsupportedKeys } from "../unsupported.ts";
import { claudeDesktopSettings } from "./settings.ts";

export type UnknownKeys = {
  findings: Finding[];
  /** Sentences about the keys that are handed out unchecked. */
  warnings: string[];
};

/** What there is to say of every key that no table names, at any depth. */
export function unknownKeysOf(document: Readonly<Record<string, unknown>>): UnknownKeys {
  const strangers = strangersIn(claudeDesktopSettings, document, []);
  const told = strangers.map((stranger) => ({ ...stranger, reason: reasonToRefuse(stranger) }));
  return {
    findings: told.flatMap(({ path, reason }) =>
      reason === undefined ? [] : [{ path, message: reason }],
    ),
    warnings: told.filter(({ reason }) => reason === undefined).map(({ path }) => warningOf(path)),
  };
}

function warningOf(path: Path): string {
  const unchecked = path.length > 1 ? " This gateway did not check its value." : "";
  return `${formatPath(path)}: unknown to this gateway's Claude Desktop schema (it may be newer). Sent to Claude Desktop as written.${unchecked}`;
}

type Stranger = {
  path: Path;
  key: string;
  /** Keys that may be written in its place. */
  known: readonly string[];
  /** Keys that belong to another form of the same mapping. */
  elsewhere: readonly string[];
};

function reasonToRefuse({ path, key, known, elsewhere }: Stranger): string | undefined {
  if (path.length === 1 && gatewayKeys.has(key))
    return "one of gateway.yaml's own keys, not a desktop setting — check the indentation";
  if (elsewhere.includes(key)) return "belongs to another form of this entry, and would be ignored";
  const meant = nearMiss(key, known);
  if (meant !== undefined) return `unknown desktop key — did you mean ${meant}?`;
  if (path.length === 1 && isReserved(key))
    return "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release";
  return undefined;
}

/** Sections of gateway.yaml and keys of a policy. */
const gatewayKeys: ReadonlySet<string> = new Set([
  ...Object.keys(sections),
  ...unsupportedKeys(""),
  ...documentKeys,
  "match",
  "desktop",
  "serve_to_desktop",
  "$schema",
]);

/** Sections of Claude Desktop's nested format, and what the gateway writes into the answer itself. */
const reserved: ReadonlySet<string> = new Set([
  "$schemaVersion",
  "appearance",
  "authentication",
  "autoUpdate",
  "bootstrap",
  "chatSurface",
  "codeSurface",
  "coworkSurface",
  "dictation",
  "expiresAt",
  "extensions",
  "featureDiscovery",
  "inference",
  "lifecycle",
  "mcp",
  "otlp",
  "plugins",
  "workspace",
]);

function isReserved(key: string): boolean {
  const isOurs = /^(inference|otlp)/i.test(key);
  return isOurs || reserved.has(key) || Object.hasOwn(Object.prototype, key);
}

/** Keys that a mapping holds beyond those its shape names. Closed mappings have been looked at with the shape. */
function strangersIn(schema: TSchema, value: unknown, path: Path): Stranger[] {
  if (KindGuard.IsArray(schema) && Array.isArray(value)) {
    return value.flatMap((item, index) => strangersIn(schema.items, item, [...path, index]));
  }
  if (!isMapping(value)) {
    const list = KindGuard.IsUnion(schema) ? schema.anyOf.find(KindGuard.IsArray) : undefined;
    return list === undefined ? [] : strangersIn(list, value, path);
  }
  const forms = (KindGuard.IsUnion(schema) ? schema.anyOf : [schema]).filter(KindGuard.IsObject);
  const tag = String(schema.discriminator);
  const form =
    forms.length > 1
      ? forms.find(({ properties }) => properties[tag]?.const === value[tag])
      : forms[0];
  if (form === undefined) return [];
  const { properties } = form;
  const elsewhere = forms.flatMap((one) => Object.keys(one.properties));
  const known = Object.keys(properties).filter((key) => properties[key]?.refused === undefined);
  return Object.entries(value).flatMap(([key, item]) => {
    const property = properties[key];
    const here = [...path, key];
    if (property !== undefined && Object.hasOwn(properties, key))
      return strangersIn(property, item, here);
    return form.additionalProperties === false ? [] : [{ path: here, key, known, elsewhere }];
  });
}

/** Slips of the finger that still count as meaning a known key. A longer way off may be a newer key. */
const slipsMax = 2;

/** The known key that is meant, whatever its case and separators. */
function nearMiss(key: string, known: readonly string[]): string | undefined {
  const plain = plainName(key);
  const meant = nearest(plain, known.map(plainName));
  if (meant === undefined) return undefined;
  // For long keys `nearest` reaches further than that.
  if (strayLetters(plain, meant) > slipsMax || strayLetters(meant, plain) > slipsMax)
    return undefined;
  return known.find((name) => plainName(name) === meant);
}

function plainName(key: string): string {
  return key.replaceAll(/[_-]/g, "").toLowerCase();
}

/** How many letters of a word another word does not have. */
function strayLetters(word: string, other: string): number {
  let left = other;
  let stray = 0;
  for (const letter of word) {
    if (left.includes(letter)) left = left.replace(letter, "");
    else stray++;
  }
  return stray;
}
