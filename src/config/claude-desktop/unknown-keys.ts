// Keys of a `desktop` document that the tables here do not name. A newer Claude Desktop may know them, so most are handed out as
// they are written; what looks like a slip, like a section of gateway.yaml in the wrong place, or like something the gateway
// answers itself is refused, since nobody would notice that it has no effect.
import { KindGuard, type TObject, type TSchema } from "@sinclair/typebox";
import { derivedOnce } from "../derived.ts";
import { isMapping } from "../mapping.ts";
import { documentKeys } from "../policy-schema.ts";
import { type Finding, formatPath, type Path } from "../problems.ts";
import { sections } from "../schema.ts";
import { nearestOf } from "../spelling.ts";
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
  /** Which of the keys that may be written in its place is meant. */
  meantBy: (key: string) => string | undefined;
  /** The forms that a mapping in its place may have. */
  forms: readonly TObject[];
};

function reasonToRefuse({ path, key, meantBy, forms }: Stranger): string | undefined {
  if (path.length === 1 && gatewayKeys.has(key))
    return "one of gateway.yaml's own keys, not a desktop setting — check the indentation";
  if (forms.some(({ properties }) => Object.hasOwn(properties, key)))
    return "belongs to another form of this entry, and would be ignored";
  const meant = meantBy(key);
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
  const meantBy = nearMissIn(form);
  return Object.entries(value).flatMap(([key, item]) => {
    const property = properties[key];
    const here = [...path, key];
    if (property !== undefined && Object.hasOwn(properties, key))
      return strangersIn(property, item, here);
    return form.additionalProperties === false ? [] : [{ path: here, key, meantBy, forms }];
  });
}

/** Slips of the finger that still count as meaning a known key. A longer way off may be a newer key. */
const slipsMax = 2;

/** Finds, for any key of such a mapping, the known one that is meant, whatever its case and separators. */
const nearMissIn = derivedOnce(({ properties }: TObject) => {
  const known = Object.keys(properties).filter((key) => properties[key]?.refused === undefined);
  const nearest = nearestOf(known.map(plainName), slipsMax);
  return (key: string): string | undefined => {
    const meant = nearest(plainName(key));
    return meant === undefined ? undefined : known.find((name) => plainName(name) === meant);
  };
});

function plainName(key: string): string {
  return key.replaceAll(/[_-]/g, "").toLowerCase();
}
