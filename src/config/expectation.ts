// The words for what a setting should be and for what was found there instead, never repeating a secret.
import { KindGuard, type TObject, type TSchema, type TUnion } from "@sinclair/typebox";
import { formatPath, type Path, quote } from "./problems.ts";

/** Completes "must be …". */
export function expected(schema: TSchema): string {
  if (schema.description !== undefined) return schema.description;
  if (KindGuard.IsUnion(schema)) return expectedOfUnion(schema);
  if (KindGuard.IsArray(schema)) return "a list";
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

/** The arm of a union that takes lists, mappings or single values, as the value is one. */
export function distinctArm(schema: TUnion, value: unknown): TSchema | undefined {
  if (Array.isArray(value)) return schema.anyOf.find(KindGuard.IsArray);
  if (isMapping(value)) return schema.anyOf.find(KindGuard.IsObject);
  return typeof value === "string" ? schema.anyOf.find(KindGuard.IsString) : undefined;
}

/** Whether a mapping belongs there, or may. */
export function holdsMappings(schema: TSchema): boolean {
  if (KindGuard.IsUnion(schema)) return schema.anyOf.some(holdsMappings);
  return KindGuard.IsObject(schema) || KindGuard.IsRecord(schema);
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Settings whose values, and everything below them, are not repeated. A URL of a database holds a password. */
const secretKeys = new Set([
  "jwt_secret",
  "client_secret",
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
  "postgres_url",
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
  return typeof value === "string" && /:\/\/.*@/s.test(value);
}
