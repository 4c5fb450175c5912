// Small shapes that every section of gateway.yaml is put together from. `description` completes the sentence "must be …" for a
// person who got it wrong.
import { FormatRegistry, type TSchema, Type } from "@sinclair/typebox";
import { isHttpUrl, isIpOrCidr } from "./addresses.ts";

FormatRegistry.Set("url", isHttpUrl);
FormatRegistry.Set("cidr", isIpOrCidr);

export const closed = { additionalProperties: false } as const;
/** A mapping that may hold more than the keys it names; what it holds more is kept as it is written. */
export const open = { additionalProperties: true } as const;
export const text = (description: string) => Type.String({ minLength: 1, description });
export const positive = (value: number) =>
  Type.Number({ exclusiveMinimum: 0, default: value, description: "a number greater than 0" });
export const list = <T extends TSchema>(item: T) => Type.Array(item, { default: [] });

export const flag = Type.Boolean();
/** One of several words. */
export const words = <const Word extends string>(...known: Word[]) =>
  Type.Union(known.map((word) => Type.Literal(word)));
/** A key that people write and that does not belong there; `why` completes "name: …" and says where it does. */
export const refused = (why: string) => Type.Optional(Type.Never({ refused: why }));

/** `http:` or `https:` URL, one that may be logged. */
export const aUrl = {
  minLength: 1,
  format: "url",
  description: "an http(s) URL without credentials in it",
};

/** A configuration of which any part may be missing: it was not there, or did not have its shape. */
export type Partly<T> = T extends readonly (infer Item)[]
  ? readonly (Partly<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Partly<T[Key]> | undefined }
    : T;
