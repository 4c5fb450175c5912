// Every route of the gateway with queries, headers, forms and bodies that nobody sends, as a stranger, with credentials that are
// none, and as somebody signed in. The bodies of the Messages API, in depth, are requests.test.ts's.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { adminKey } from "../support/spending.ts";
import { modelOn } from "../support/every-provider.ts";
import { anyJson, anyRequest, damaged } from "../support/hostile-json.ts";
import { openOrdeal, runs } from "../support/ordeal.ts";

const ordeal = await openOrdeal();
afterAll(() => ordeal.scene.stop());
afterEach(() => ordeal.stood());

/** As the route list has them, so that a new one is tried here from its first day. */
const source = await Bun.file(join(import.meta.dir, "..", "..", "src", "gateway.ts")).text();
const routes = [...source.matchAll(/"(GET|POST|DELETE) (\/[^"]*)"/g)].map(
  ([, method = "", path = ""]) => ({ method, path }),
);
const signedIn = /^\/(?:v1|managed|user|api)\//;
const adminPath = "/v1/organizations/spend_limits";
const adminPaths = ["", "/effective", "/audit", "/spl_1", "/%00", "/%ff", "/..", "//", "/a/b"].map(
  (below) => `${adminPath}${below}`,
);

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "\0", "%", "%ff", "../..", "' or 1=1", "<script>", "{}", "1e400", "-1", "9".repeat(400)),
); // prettier-ignore
const anyName = fc.oneof(
  fc.constantFrom(
    "user_code", "code", "state", "error", "error_description", "iss", "grant_type", "device_code",
    "refresh_token", "token", "client_id", "scope", "limit", "after_id", "before_id", "page", "sort", "period[]",
    "scope_type", "user_id", "beta", "__proto__", "constructor",
  ),
  anyText,
); // prettier-ignore
const anyGrant = fc.constantFrom(
  "urn:ietf:params:oauth:grant-type:device_code", "refresh_token", "authorization_code", "",
); // prettier-ignore

/** Fields in any order and number, percent-encoded well, or by halves. */
const anyFields = fc
  .array(
    fc.oneof(
      fc.tuple(anyName, anyText).map(([name, value]) => `${encoded(name)}=${encoded(value)}`),
      anyGrant.map((grant) => `grant_type=${grant}`),
      fc.constantFrom("&", "=", "a=b=c", "%zz=%", "+=+", "user_code=BCDF-GHJK", "device_code=x"),
    ),
    { maxLength: 6 },
  )
  .map((fields) => fields.join("&"));

/** What a header can carry: bytes without control characters, no blank at either end. */
const anyValue = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e\xa0-\xff]([\x20-\x7e\xa0-\xff]{0,40}[\x21-\x7e\xa0-\xff])?$/),
  fc.constantFrom("", "0", "-1", ",", ";", "a,".repeat(3_000), "x".repeat(20_000), '"', "*/*;q=x"),
);
const knownValues: readonly (readonly [string, string])[] = [
  ["anthropic-beta", Array.from({ length: 5_000 }, (_, index) => `b${index}`).join(",")],
  ["anthropic-beta", " , ,,;"],
  ["traceparent", "00-00000000000000000000000000000000-0000000000000000-00"],
  ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"],
  ["traceparent", "ff-".repeat(2_000)],
  ["tracestate", "a=b,".repeat(2_000)],
  ["x-client-request-id", "../../etc/passwd"],
  ["x-client-request-id", "a".repeat(65)],
  ["x-claude-code-session-id", "\u00ff".repeat(128)],
  ["x-forwarded-for", "1.1.1.1,".repeat(2_000)],
  ["x-forwarded-for", "[::ffff:127.0.0.1]:99999"],
  ["accept-encoding", "gzip;q=0,".repeat(2_000)],
  ["content-type", "application/x-www-form-urlencoded;charset=utf-16"],
  ["content-type", 'multipart/form-data; boundary="'],
  ["content-type", "application/json"],
  ["content-encoding", "gzip, gzip"],
  ["cookie", "a=b; ".repeat(2_000)],
  ["expect", "200-maybe"],
  ["origin", "null"],
  ["range", "bytes=0-"],
  ["if-none-match", '"'.repeat(500)],
];
const anyHeaders = fc.array(
  fc.oneof(
    fc.constantFrom(...knownValues),
    fc.tuple(
      fc.constantFrom(
        ...new Set(knownValues.map(([name]) => name)),
        "user-agent",
        "x-stainless-os",
      ),
      anyValue,
    ),
  ),
  { maxLength: 3 },
);

/** Nobody's; a token in the shape of ours; an administrator's key; a developer's own. */
const anyCredential = fc.oneof(
  fc.constantFrom<Record<string, string> | "developer">({}, "developer", { "x-api-key": adminKey }),
  anyValue.map((value) => ({ authorization: `Bearer ${value}` })),
  anyValue.map((value) => ({ authorization: value })),
  anyValue.map((value) => ({ "x-api-key": value })),
  fc
    .tuple(fc.constantFrom("none", "HS256", "RS256", "\0"), anyJson, fc.base64String())
    .map(([alg, claims, signature]) => ({
      authorization: `Bearer ${base64url(JSON.stringify({ alg }))}.${base64url(claims)}.${base64url(signature)}`,
    })),
);

const anyBody = fc.oneof(
  anyFields,
  anyJson,
  damaged(anyJson),
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom("", "a=".repeat(40_000), '{"a":'.repeat(20_000), "[".repeat(20_000), "\0"),
);
const form = ["content-type", "application/x-www-form-urlencoded"] as const;

async function tryIt(
  route: { method: string; path: string },
  query: string,
  headers: readonly (readonly [string, string])[],
  credential: Record<string, string> | "developer",
  body: string | Uint8Array,
): Promise<void> {
  const own = credential === "developer" ? {} : credential;
  const ask = credential === "developer" ? ordeal.askAs : ordeal.ask;
  const { status } = await ask({
    method: route.method,
    path: query === "" ? route.path : `${route.path}?${query}`,
    headers: headersOf([...Object.entries(own), ...headers]),
    ...(route.method !== "GET" && { body }),
  });
  const isStranger = credential !== "developer" && !Object.hasOwn(own, "x-api-key");
  if (signedIn.test(route.path) && isStranger) expect(status).toBe(401);
}

describe("stands whatever it is asked with:", () => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "%s",
    async (_, route) => {
      const isForm = /^\/(?:oauth|device)/.test(route.path);
      await fc.assert(
        fc.asyncProperty(
          anyFields,
          anyHeaders,
          anyCredential,
          anyBody,
          (query, headers, who, body) =>
            tryIt(route, query, isForm ? [form, ...headers] : headers, who, body),
        ),
        runs(100),
      );
    },
  );

  test.each(["GET", "POST", "DELETE", "PUT", "PATCH"])("%s of the admin API", async (method) => {
    const anyLimit = fc.oneof(
      anyBody,
      fc
        .tuple(fc.constantFrom('"user"', '"rbac_group"', "null", "{}"), anyJson, anyJson, anyJson)
        .map(
          ([type, id, amount, period]) =>
            `{"scope":{"type":${type},"user_id":${id}},"amount":${amount},"period":${period}}`,
        ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...adminPaths),
        anyFields,
        fc.oneof(fc.constant({ "x-api-key": adminKey }), anyCredential),
        anyLimit,
        (path, query, who, body) => tryIt({ method, path }, query, [], who, body),
      ),
      runs(200),
    );
  });
});

test("a Messages request is read alike under whatever headers it comes", async () => {
  await fc.assert(
    fc.asyncProperty(anyHeaders, anyFields, async (headers, query) => {
      const { status } = await ordeal.askAs({
        method: "POST",
        path: query === "" ? "/v1/messages" : `/v1/messages?${query}`,
        headers: headersOf(headers),
        body: `{"model":"${modelOn("bedrock")}","max_tokens":1,"messages":[]}`,
      });
      // Headers that go on may be more than the upstream takes.
      expect([200, 431]).toContain(status);
    }),
    runs(100),
  );
});

describe("an export of nothing that any collector knows is accepted, and harms nobody:", () => {
  const attribute = '{"key":"user.email","value":{"stringValue":"eve@example.com"}}';
  const anyExport = fc.oneof(
    fc.constant(`{"resourceMetrics":[{"resource":{"attributes":[${attribute}]}}]}`),
    anyJson.map((json) => `{"resourceLogs":[{"resource":{"attributes":[${attribute},${json}]}}]}`),
    anyRequest("m"),
  );
  const anyProtobuf = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 20 })))
      .map((fields) =>
        Buffer.concat(fields.map(([tag, bytes]) => Buffer.from([tag, bytes.length, ...bytes]))),
      ),
  );
  const anyBytes = fc.oneof(
    anyProtobuf,
    anyExport.map((text) => Buffer.from(text)),
    damaged(anyExport),
  );
  const anyCoding = fc.constantFrom<readonly [string, (bytes: Uint8Array) => Uint8Array]>(
    ["", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
    ["gzip", (bytes) => gzipSync(bytes).subarray(0, -3)],
    ["gzip", (bytes) => Buffer.concat([gzipSync(bytes), gzipSync(bytes)])],
    ["gzip", (bytes) => bytes],
    ["gzip", (bytes) => Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), bytes])],
    ["deflate", (bytes) => deflateSync(bytes)],
    ["br", (bytes) => bytes],
  );
  const anyType = fc.constantFrom(
    "application/json", "application/x-protobuf", "application/json, application/x-protobuf", "text/plain", "", "\u00ff/\u00ff",
  ); // prettier-ignore

  test.each(["metrics", "logs", "traces"])("%s", async (signal) => {
    await fc.assert(
      fc.asyncProperty(anyBytes, anyCoding, anyType, async (bytes, [coding, encode], type) => {
        const { status, text } = await ordeal.askAs({
          method: "POST",
          path: `/v1/${signal}`,
          headers: { "content-type": type, ...(coding !== "" && { "content-encoding": coding }) },
          body: encode(bytes),
        });
        expect([status, text]).toEqual([200, ""]);
      }),
      runs(100),
    );
  });

  test("one that would be a gigabyte", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
    for (const type of ["application/json", "application/x-protobuf"]) {
      const headers = { "content-type": type, "content-encoding": "gzip" };
      const { status } = await ordeal.askAs({
        method: "POST",
        path: "/v1/logs",
        headers,
        body: bomb,
      });
      expect(status).toBe(200);
    }
  });
});

function headersOf(list: readonly (readonly [string, string])[]): Headers {
  const headers = new Headers();
  for (const [name, value] of list) headers.append(name, value);
  return headers;
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
