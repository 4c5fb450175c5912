// Reading a JSON body of the admin API field by field, the first thing wrong with it named as the reference names it. Which
// fields there are is limit-request.ts's and sign-outs.ts's.
import { ApiError } from "../../http/errors.ts";
import { storable } from "../../store/stored-text.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Longest id or address, in bytes of UTF-8: an index entry of PostgreSQL has room for some 2,700. */
const nameBytesMax = 1_024;

/** The members of a body. @throws ApiError `invalid_request_error` when it is no JSON object. */
export function fieldsOf(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new ApiError("invalid_request_error", "invalid JSON body");
  }
  return asObject(value, "");
}

// Each of these throws ApiError `invalid_request_error` naming the field, which is empty for the body itself.

export function asObject(value: unknown, field: string): Fields {
  if (isObject(value)) return value;
  throw invalid(field, `Expected object, received ${kindOf(value)}`);
}

export function asText(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  throw invalid(field, `Expected string, received ${kindOf(value)}`);
}

/** What names a person or a group, as the database can keep it. */
export function asName(value: unknown, field: string): string {
  const name = asText(value, field);
  if (name === "") throw invalid(field, "String must contain at least 1 character(s)");
  if (name.includes("\0")) throw invalid(field, "String must not contain U+0000");
  if (Buffer.byteLength(name) > nameBytesMax) {
    throw invalid(field, `String must contain at most ${nameBytesMax} byte(s) of UTF-8`);
  }
  return storable(name);
}

export function required(value: unknown, field: string): unknown {
  if (value !== undefined) return value;
  throw invalid(field, "Required");
}

export function isGiven<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null;
}

/** What JSON calls a value of this kind. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

export function invalid(field: string, message: string): ApiError {
  return new ApiError("invalid_request_error", field === "" ? message : `${field}: ${message}`);
}

function isObject(value: unknown): value is Fields {
  return kindOf(value) === "object";
}
