// store.postgres_url → where to connect, as whom, and how. Follows libpq's connection URIs (PostgreSQL manual, 34.1.1.2) with
// one leniency: a password with unescaped special characters is understood as far as it is unambiguous.
import { readFileSync } from "node:fs";
import { messageOf } from "../log.ts";
import type { Endpoint } from "./dial.ts";

export type ConnectionTarget = {
  endpoints: [Endpoint, ...Endpoint[]];
  user: string | undefined;
  password: string | undefined;
  database: string | undefined;
  /** As the client takes it: a mode, or TLS options when a CA file is named. */
  ssl:
    | false
    | "require"
    | "prefer"
    | "verify-full"
    | { ca: string; checkServerIdentity?: () => undefined };
  targetSessionAttrs: (typeof sessionAttributes)[number] | undefined;
  /** Everything else in the query, which PostgreSQL takes as settings of the session. */
  parameters: Record<string, string>;
};

/** Which of several hosts will do (PostgreSQL manual, 34.1.2); libpq's `any` is the same as none. */
const sessionAttributes = [
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
] as const;
const portDefault = 5432;
const host = String.raw`(?:\[[0-9a-fA-F:.%]+\]|[^\s@/?#:,[\]]*)(?::\d{1,5})?`;
const rest = String.raw`(${host}(?:,${host})*)(?:/([^/?#]*))?(?:\?([^#]*))?$`;
/** The userinfo of the first ends where RFC 3986 says; that of the second at the last `@` that leaves a host after it. */
const strict = new RegExp(String.raw`^postgres(?:ql)?://(?:([^/?#]*)@)?${rest}`);
const lenient = new RegExp(String.raw`^postgres(?:ql)?://(.*)@${rest}`, "s");

/** @throws Error naming store.postgres_url and never repeating it, because it may hold a password. */
export function parseConnectionUrl(url: string): ConnectionTarget {
  const match = strict.exec(url) ?? lenient.exec(url);
  if (match === null) {
    throw new Error(
      "store.postgres_url cannot be read: expected postgres://user:password@host:port/database. A password with special " +
        "characters belongs in store.password, or percent-encoded in the URL.",
    );
  }
  const [, userinfo, authority = "", path = "", query = ""] = match;
  const colon = userinfo?.indexOf(":") ?? -1;
  const { sslmode, sslrootcert, target_session_attrs, host: queryHost, port: queryPort, ...parameters } =
    Object.fromEntries(new URLSearchParams(query)); // prettier-ignore
  return {
    endpoints: readEndpoints(queryHost ?? authority, queryPort),
    user: textOrUndefined(colon < 0 ? userinfo : userinfo?.slice(0, colon)),
    password: colon < 0 ? undefined : textOrUndefined(userinfo?.slice(colon + 1)),
    database: textOrUndefined(path),
    ssl: readTls(sslmode, sslrootcert),
    targetSessionAttrs: readSessionAttributes(target_session_attrs),
    parameters,
  };
}

function readEndpoints(hosts: string, port: string | undefined): [Endpoint, ...Endpoint[]] {
  const [first, ...others] = hosts.split(",").map((entry) => readEndpoint(entry, port));
  return [first ?? readEndpoint("", port), ...others];
}

function readEndpoint(entry: string, portFromQuery: string | undefined): Endpoint {
  const colon = /:\d+$/.exec(entry);
  const name = decode(colon === null ? entry : entry.slice(0, colon.index)).replaceAll(
    /^\[|\]$/g,
    "",
  );
  const port = Number(colon?.[0].slice(1) ?? portFromQuery ?? portDefault);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error("store.postgres_url has a port that is not a number from 1 to 65535");
  }
  return { host: name === "" ? "localhost" : name, port };
}

function readSessionAttributes(name: string | undefined): ConnectionTarget["targetSessionAttrs"] {
  if (name === undefined || name === "any") return undefined;
  const known = sessionAttributes.find((attribute) => attribute === name);
  if (known !== undefined) return known;
  throw new Error(
    `store.postgres_url has an unknown target_session_attrs: expected any, ${sessionAttributes.join(", ")}`,
  );
}

/** libpq's sslmode. Absent, `disable` and `allow` are plain text; `prefer` and `require` do not verify; the others do. */
function readTls(
  mode: string | undefined,
  rootCertificate: string | undefined,
): ConnectionTarget["ssl"] {
  if (mode === undefined || mode === "disable" || mode === "allow") return false;
  if (mode === "prefer" || mode === "require") {
    // As in libpq: with a CA file, `require` verifies the chain.
    return mode === "require" && rootCertificate !== undefined
      ? readTls("verify-ca", rootCertificate)
      : mode;
  }
  if (mode !== "verify-ca" && mode !== "verify-full") {
    throw new Error(
      "store.postgres_url has an unknown sslmode: expected disable, allow, prefer, require, verify-ca or verify-full",
    );
  }
  if (rootCertificate === undefined || rootCertificate === "system") return "verify-full";
  const ca = readCertificate(rootCertificate);
  return mode === "verify-ca" ? { ca, checkServerIdentity: () => undefined } : { ca };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(
      `store.postgres_url names an sslrootcert that cannot be read: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function textOrUndefined(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : decode(text);
}

/** Percent-decoded, or as it is when it was evidently never encoded (a password with a bare `%`). */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
