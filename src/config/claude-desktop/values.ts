// Values that several settings of Claude Desktop take. Data only; it describes Claude Code 2.1.330 and was written from public
// documentation and observed answers. No value has a default: a document is handed out as it is written.
import { Type } from "@sinclair/typebox";
import { aUrl, flag } from "../pieces.ts";

export const optionalFlag = Type.Optional(flag);

/** A whole number with both ends included. */
export const wholeNumber = (minimum: number, maximum: number) =>
  Type.Integer({
    minimum,
    maximum,
    description: `a whole number from ${minimum} to ${maximum}`,
  });

export const wholeNumberAbove0 = Type.Integer({
  minimum: 1,
  description: "a whole number greater than 0",
});

/** Text of which something is left when the blanks around it are taken away. */
export const visibleText = (description: string, maxLength?: number) =>
  Type.String({
    pattern: String.raw`\S`,
    ...(maxLength === undefined ? {} : { maxLength }),
    description,
  });

export const httpsUrl = Type.String({
  ...aUrl,
  pattern: "^https://",
  description: "an https URL without credentials in it",
});

export const guid = Type.String({
  pattern: "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
  description: "a GUID",
});

/**
 * A program on a person's machine. Windows resolves `\\??\\`, `//` and `\\\\` past the checks of a path, so a document cannot
 * name them; `%` would expand there, and a dot or blank at the end is dropped there.
 */
export const localPath = Type.String({
  pattern: String.raw`^(?![\\/]\?\?[\\/])(?:/(?!/)|[A-Za-z]:[\\/])(?!(?:.*[\\/])?\.\.(?:[\\/]|$))[^"%\r\n\0]*(?<![. ])$`,
  description:
    'a local absolute path (on Windows C:/… or C:\\…) with no ~, .., UNC or \\??\\ prefix, none of " % CR LF NUL, and no dot or space at its end',
});

const label = "[A-Za-z0-9_-]+";
const portPattern = String.raw`(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?`;
const hostPattern = String.raw`(?:\*\.)?${label}(?:\.${label})+${portPattern}`;

/** Hosts that tools may reach. */
export const egressHost = Type.String({
  pattern: String.raw`^(?:\*|localhost${portPattern}|${hostPattern})$`,
  description:
    "*, localhost, host[:port] or *.host[:port], without a scheme, a path or an IPv6 address",
});

/** Sites of the built-in browser, where localhost is never blocked and cannot be listed. */
export const allowedSite = Type.String({
  pattern: `^${hostPattern}$`,
  description:
    'host[:port] or *.host[:port]; for every site set builtinBrowserDefaultDomainPolicy to "allow", and localhost is never blocked',
});

export const blockedSite = Type.String({
  pattern: String.raw`^(?:\*|${hostPattern})$`,
  description: "*, host[:port] or *.host[:port]; localhost is never blocked",
});
