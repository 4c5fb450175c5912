// The words for what a setting should be and for what was found there instead, never repeating a secret.
import { KindGuard, type TObject, type TSchema, type TUnion } from "@sinclair/typebox";
import { isMapping } from "./mapping.ts";
import { formatPath, type Path, quote } from "./problems.ts";

/** Completes "must be …". */
export function expected(schema: TSchema): string {
  if (schema.description !== undefined) return schema.description;
  if (KindGuard.IsUnion(schema)) return expectedOfUnion(schema);
  if (KindGuard.IsArray(schema)) return "a list (array)";
  if (KindGuard.IsLiteral(schema)) return JSON.stringify(schema.const);
  if (KindGuard.IsBoolean(schema)) return "true or false";
  if (KindGuard.IsObject(schema)) return expectedOfObject(schema);
  if (KindGuard.IsRecord(schema)) return "a mapping";
  return KindGuard.IsString(schema) ? "text" : "a number";
}

function expectedOfUnion(schema: TUnion): string {
  if (schema.anyOf.every(KindGuard.IsObject)) {
    if (schema.discriminator !== undefined) return `a mapping with ${schema.discriminator}`;
    const names = schema.anyOf.map(({ properties }) => Object.keys(properties)[0]);
    return `a mapping with one of ${names.join(", ")}`;
  }
  return schema.anyOf.map(expected).join(", or ");
}

function expectedOfObject(schema: TObject): string {
  const required = Object.entries(schema.properties).filter(
    ([, property]) => !KindGuard.IsOptional(property) && !("default" in property),
  );
  return required.length === 0
    ? "a mapping"
    : `a mapping with ${required.map(([key]) => key).join(", ")}`;
}

/**
 * The arms of a union that take a value of this kind: lists, mappings, text and so on. Of a value that no arm takes, the
 * ones to blame it on are none.
 */
export function armsFor(schema: TUnion, value: unknown): TSchema[] {
  const fitting = schema.anyOf.filter((arm) => takesKindOf(arm, value));
  // A variable gives numbers as text.
  return fitting.length === 0 && typeof value === "string"
    ? schema.anyOf.filter(isNumeric)
    : fitting;
}

function takesKindOf(schema: TSchema, value: unknown): boolean {
  if (KindGuard.IsUnknown(schema)) return true;
  if (KindGuard.IsUnion(schema)) return schema.anyOf.some((arm) => takesKindOf(arm, value));
  if (KindGuard.IsLiteral(schema)) return typeof schema.const === typeof value;
  if (Array.isArray(value)) return KindGuard.IsArray(schema);
  if (isMapping(value)) return KindGuard.IsObject(schema) || KindGuard.IsRecord(schema);
  if (typeof value === "string") return KindGuard.IsString(schema);
  if (typeof value === "boolean") return KindGuard.IsBoolean(schema);
  return typeof value === "number" ? isNumeric(schema) : KindGuard.IsNull(schema);
}

/** Whether a number belongs there: a text that reads as one is taken, too, since a variable gives nothing else. */
export function isNumeric(schema: TSchema): boolean {
  return KindGuard.IsNumber(schema) || KindGuard.IsInteger(schema);
}

/** A literal that people write as a word. */
export function isWord(schema: TSchema): boolean {
  return KindGuard.IsLiteral(schema) && typeof schema.const === "string";
}

/** Whether a mapping belongs there, or may. */
export function holdsMappings(schema: TSchema): boolean {
  if (KindGuard.IsUnion(schema)) return schema.anyOf.some(holdsMappings);
  return KindGuard.IsObject(schema) || KindGuard.IsRecord(schema);
}

/** Settings whose values, and everything below them, are not repeated. A URL of a database holds a password. */
const secretKeys = new Set([
  "jwt_secret",
  "client_secret",
  "clientSecret",
  "client_assertion",
  "api_key",
  "oauth_token",
  "access_token",
  "aws_access_key_id",
  "aws_secret_access_key",
  "aws_session_token",
  "aws_bearer_token",
  "password",
  "key",
  "token",
  "headers",
  "env",
  "postgres_url",
  "write_keys",
  "read_keys",
  "extra_auth_params",
  "ca_cert_pem",
]);

/** Completes "got …": the value itself where that is harmless, else only what kind of thing it is. */
export function gist(value: unknown, path: Path, fromOutside: ReadonlySet<string>): string {
  const isPlain =
    typeof value === "string" ? value !== "" : /^(number|boolean)$/.test(typeof value);
  if (!isPlain || isSecret(value, path, fromOutside)) return kind(value);
  return typeof value === "string" ? quote(value) : JSON.stringify(value);
}

/** Completes "got …" without the value. */
export function kind(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return `a ${typeof value}`;
  return value === "" ? "an empty string" : `text of ${value.length} characters`;
}

function isSecret(value: unknown, path: Path, fromOutside: ReadonlySet<string>): boolean {
  if (fromOutside.has(formatPath(path))) return true;
  if (path.some((step) => secretKeys.has(String(step)))) return true;
  return typeof value === "string" && mayHoldCredentials(value);
}

/** Whether an @ follows a scheme, as in a URL with a password: also in one that is no URL for some other reason. */
function mayHoldCredentials(value: string): boolean {
  const scheme = value.indexOf("://");
  return scheme >= 0 && value.lastIndexOf("@") > scheme;
}
