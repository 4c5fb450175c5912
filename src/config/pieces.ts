// Small shapes that every section of gateway.yaml is put together from. `description` completes the sentence "must be …" for a
// person who got it wrong.
import { FormatRegistry, type TSchema, Type } from "@sinclair/typebox";
import { isHttpUrl, isIpOrCidr } from "./addresses.ts";

FormatRegistry.Set("url", isHttpUrl);
FormatRegistry.Set("cidr", isIpOrCidr);

export const closed = { additionalProperties: false } as const;
export const text = (description: string) => Type.String({ minLength: 1, description });
export const positive = (value: number) =>
  Type.Number({ exclusiveMinimum: 0, default: value, description: "a number greater than 0" });
export const list = <T extends TSchema>(item: T) => Type.Array(item, { default: [] });

/** `http:` or `https:` URL, one that may be logged. */
export const aUrl = {
  minLength: 1,
  format: "url",
  description: "an http(s) URL without credentials in it",
};
