// Kinds of value that many of Claude Code's settings share. Every setting may be left out, and none has a default: documents are
// served as they are written. What the settings are, by theme, is in the files beside this one.
import { type TSchema, Type } from "@sinclair/typebox";
import { flag, text, words } from "../pieces.ts";

export const aFlag = Type.Optional(flag);
export const aText = Type.Optional(Type.String());
export const someText = Type.Optional(text("text that is not empty"));
export const texts = Type.Optional(Type.Array(Type.String()));
export const textsByName = Type.Optional(Type.Record(Type.String(), Type.String()));
export const oneOf = <const Word extends string>(...known: Word[]) =>
  Type.Optional(words(...known));
/** A key whose value clients judge for themselves and, where they cannot use it, do without. */
export const anything = Type.Optional(Type.Unknown());
/** A mapping that may hold anything. */
export const anyMapping = Type.Record(Type.String(), Type.Unknown());

export const wholeNumber = (least: number) =>
  Type.Integer({ minimum: least, description: `a whole number, at least ${least}` });

/** A key that may also be written without a value. */
export const orNothing = <Shape extends TSchema>(shape: Shape, description: string) =>
  Type.Optional(Type.Union([shape, Type.Null()], { description }));

/** Any URL with a scheme; what it points to is the client's concern. */
export const anyUrl = Type.String({
  pattern: "^\\s*[A-Za-z][A-Za-z0-9+.-]*:(?!/+\\s*$)",
  description: "a URL with its scheme, for example https://example.com",
});

export const httpsUrl = Type.String({
  pattern: "^\\s*[Hh][Tt][Tt][Pp][Ss]:(?!/*\\s*$)",
  description: "an https URL",
});

/** Lines that clients print must not carry escape sequences: no control characters, none that are invisible. */
export const printable =
  "[^\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2064\\ufeff]*";
