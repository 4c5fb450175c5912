// What every answer of the gateway has in common, whoever asks and whatever for: headers, refusals that say nothing, pages that
// load nothing; and that its paths have one spelling. Over raw sockets where a client would tidy up what it sends.
import { afterAll, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSessions } from "../../src/session.ts";
import { nothingEnded } from "../support/endings.ts";
import { bodyOf, exchange, headerOf } from "../support/raw-http.ts";
import { jwtSecret, openScene } from "../support/scene.ts";
import { selfSigned } from "../support/self-signed.ts";

const scene = await openScene((config) => {
  config.admin = {};
  config.access_control = { deny_cidrs: ["9.9.9.0/24"] };
  config.listen.trusted_proxies = ["127.0.0.1"];
});
const port = Number(new URL(scene.gateway.url).port);
afterAll(() => scene.stop());

const ask = (line: string, headers = "", body = "") =>
  exchange(port, `${line} HTTP/1.1\r\nHost: localhost:${port}\r\n${headers}\r\n${body}`);
const bearerLine = async () => `Authorization: Bearer ${await scene.bearer()}\r\n`;

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};
test("every answer has the security headers, refusals too, and does not say what made it", async () => {
  for (const [line, headers, status] of [
    ["GET /", "", 200],
    ["GET /healthz", "", 200],
    ["GET /readyz", "", 200],
    ["GET /protocol", "", 200],
    ["GET /device", "", 200],
    ["GET /oauth/callback", "", 200],
    ["GET /.well-known/oauth-authorization-server", "", 200],
    ["POST /oauth/token", "Content-Length: 0\r\n", 400],
    ["GET /v1/models", "", 401],
    ["GET /v1/models", await bearerLine(), 200],
    ["GET /nowhere", await bearerLine(), 404],
    ["GET /v1/organizations/spend_limits", "", 401],
    ["GET /healthz", "X-Forwarded-For: 9.9.9.9\r\n", 403],
    ["GET /", "Transfer-Encoding: chunked\r\n", 411],
    ["POST /v1/messages", "Content-Length: 99999999999\r\nConnection: close\r\n", 413],
  ] as const) {
    const body = status === 411 ? "0\r\n\r\n" : "";
    const got =
      status === 413
        ? await exchange(
            port,
            `${line} HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n${"x".repeat(40_000_000)}`,
          )
        : await ask(line, headers, body);
    expect([line, got.statuses]).toEqual([line, [status]]);
    for (const [name, value] of Object.entries(securityHeaders)) {
      expect([line, name, headerOf(got, name)]).toEqual([line, name, value]);
    }
    expect(headerOf(got, "x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    for (const name of ["server", "x-powered-by", "via", "strict-transport-security"]) {
      expect(headerOf(got, name)).toBeUndefined();
    }
    expect(got.text.slice(0, got.text.indexOf("\r\n\r\n"))).not.toMatch(/bun|node|access-control/i);
  }
});

test("with TLS every answer asks for TLS from then on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "edge-tls-"));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  writeFileSync(cert, selfSigned.cert);
  writeFileSync(key, selfSigned.key);
  const secure = await openScene((config) => {
    config.listen.tls = { cert, key };
    config.listen.public_url = config.listen.public_url.replace("http:", "https:");
  });
  try {
    for (const path of ["/", "/healthz", "/v1/models", "/device"]) {
      const { headers } = await fetch(secure.gateway.url + path, {
        tls: { rejectUnauthorized: false },
      });
      expect(headers.get("strict-transport-security")).toBe("max-age=31536000; includeSubDomains");
    }
    const got = await exchange(
      Number(new URL(secure.gateway.url).port),
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      {
        answers: 0,
        closed: true,
      },
    );
    expect(got).toEqual({ statuses: [], text: "", closed: true });
  } finally {
    await secure.stop();
  }
});

test("a bearer that is missing, junk, expired, forged or for another gateway is refused in the same words", async () => {
  const claims = { sub: "ada", email: "ada@example.com" };
  const other = (over: Partial<Parameters<typeof createSessions>[0]>) =>
    createSessions({
      secrets: [jwtSecret],
      issuer: `http://localhost:${port}`,
      ttlSeconds: 3_600,
      endings: nothingEnded,
      now: Date.now,
      ...over,
    });
  const minted = async (over: Parameters<typeof other>[0]) =>
    (await other(over).mint(claims)).accessToken;
  const good = await scene.bearer();
  const [head = "", payload = ""] = good.split(".");
  const unsigned = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
  const wrong = createHmac("sha256", "x".repeat(32))
    .update(`${head}.${payload}`)
    .digest("base64url");
  const bearers = [
    "",
    "Authorization: Bearer junk\r\n",
    "Authorization: Bearer\r\n",
    "Authorization: Basic YTpi\r\n",
    `Authorization: Bearer ${head}.${payload}.\r\n`,
    `Authorization: Bearer ${head}.${payload}.${wrong}\r\n`,
    `Authorization: Bearer ${unsigned}.${payload}.\r\n`,
    `Authorization: Bearer ${await minted({ now: () => Date.now() - 7_200_000 })}\r\n`,
    `Authorization: Bearer ${await minted({ secrets: ["y".repeat(32)] })}\r\n`,
    `Authorization: Bearer ${await minted({ issuer: "https://other.example" })}\r\n`,
    `Authorization: Bearer ${good}\r\nAuthorization: Bearer ${good}\r\n`,
    `x-api-key: ${good}\r\n`,
    `Cookie: authorization=${good}\r\n`,
  ];
  const shapes = new Set<string>();
  for (const bearer of bearers) {
    for (const line of [
      "GET /v1/models",
      "GET /nowhere",
      "DELETE /v1/models",
      "POST /managed/settings",
    ]) {
      const got = await ask(line, bearer);
      const id = headerOf(got, "x-request-id") ?? "";
      shapes.add(got.text.replaceAll(id, "ID").replace(/^date: .*\r\n/im, ""));
    }
  }
  expect(shapes.size).toBe(1);
  const [shape = ""] = shapes;
  expect(shape).toStartWith("HTTP/1.1 401 Unauthorized\r\n");
  expect(shape).toEndWith(
    '{"type":"error","request_id":"ID","error":{"type":"authentication_error","message":"invalid token"}}',
  );
  expect((await ask("GET /v1/models", `Authorization: Bearer ${good}\r\n`)).statuses).toEqual([
    200,
  ]);
});

test("pages load, run and frame nothing, send forms nowhere else, and are not kept", async () => {
  const pages: [string, string][] = [
    ["/", ""],
    ["/device", ""],
    ["/device?user_code=BBBB-BBBB", ""],
    ["/oauth/callback", ""],
    ["/oauth/callback?error=access_denied&error_description=no", ""],
  ];
  for (const [path, headers] of pages) {
    const got = await ask(`GET ${path}`, headers);
    expect([path, headerOf(got, "content-type")]).toEqual([path, "text/html; charset=utf-8"]);
    expect(headerOf(got, "cache-control")).toBe("no-store");
    const policy = new Map(
      (headerOf(got, "content-security-policy") ?? "").split("; ").map((directive) => {
        const [name = "", ...sources] = directive.split(" ");
        return [name, sources];
      }),
    );
    expect(policy.get("default-src")).toEqual(["'none'"]);
    expect(policy.get("frame-ancestors")).toEqual(["'none'"]);
    expect(policy.get("base-uri")).toEqual(["'none'"]);
    expect(policy.get("style-src")).toEqual([expect.stringMatching(/^'sha256-[\w+/=]+'$/)]);
    for (const source of policy.get("form-action") ?? []) {
      expect(["'none'", "'self'", new URL(scene.idp.issuer).origin]).toContain(source);
    }
    expect(policy.get("form-action")).not.toBeEmpty();
    const html = bodyOf(got);
    expect(html).not.toMatch(/<script|<iframe|<img|<link|\son\w+=|javascript:/i);
  }
});

test("what was sent comes back escaped, or not at all", async () => {
  const attack = `"'><script>alert(1)</script>{{7*7}}`;
  const encoded = encodeURIComponent(attack);
  for (const line of [
    `GET /device?user_code=${encoded}`,
    `GET /oauth/callback?error=${encoded}&error_description=${encoded}&state=${encoded}`,
    `GET /?${encoded}`,
    `GET /${encoded}`,
    `GET /v1/organizations/spend_limits/${encoded}`,
  ]) {
    const got = await ask(line, `X-Client-Request-Id: ${attack}\r\nUser-Agent: ${attack}\r\n`);
    expect(got.statuses).toHaveLength(1);
    expect(got.text).not.toContain("<script>");
    expect(got.text).not.toContain(`"'>`);
  }
  const form = `user_code=${encoded}`;
  for (const path of ["/device", "/device/deny", "/oauth/token", "/oauth/device_authorization"]) {
    const got = await ask(
      `POST ${path}`,
      `Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nContent-Length: ${form.length}\r\n`,
      form,
    );
    expect(got.statuses).toHaveLength(1);
    expect(got.text).not.toContain("<script>");
  }
});

test("the gateway's own paths have one spelling, signed in or not", async () => {
  const signedIn = await bearerLine();
  for (const path of [
    "//",
    "/./",
    "/x/..",
    "//healthz",
    "/x/../healthz",
    "/%2e/healthz",
    "/%2e%2e/readyz",
    "/x\\..\\healthz",
    "/healthz/",
    "/healthz;x",
    "/Healthz",
    "/health%7a",
    "//v1/messages",
    "/v1//messages",
    "/v1/./messages",
    "/v1/x/../messages",
    "/v1%2fmessages",
    "/v1\\messages",
    "/v1/messages/",
    "/v1/messages%00",
    "/v1/messages%3Fbeta",
    "/v1/messages/batches",
    "/v1/mess\xc0\xafages",
    "/device/../oauth/token",
    "/v1/organizations/spend_limits/../../messages",
    "/v1/organizations/x/../spend_limits",
    "http://other.example/x/../v1/messages",
  ]) {
    for (const method of ["GET", "POST"]) {
      const length = "Content-Length: 0\r\n";
      expect([path, (await ask(`${method} ${path}`, length)).statuses]).toEqual([path, [401]]);
      expect([path, (await ask(`${method} ${path}`, signedIn + length)).statuses]).toEqual([
        path,
        [404],
      ]);
    }
  }
  expect(scene.upstream.seen).toEqual([]);
});

test("methods that a path does not have are refused like paths that do not exist", async () => {
  const signedIn = await bearerLine();
  for (const line of [
    "HEAD /",
    "HEAD /healthz",
    "HEAD /readyz",
    "POST /healthz",
    "PUT /device",
    "OPTIONS /v1/messages",
    "TRACE /v1/messages",
    "CONNECT api.anthropic.com:443",
    "CONNECT /v1/messages",
    "GET /v1/messages",
    "DELETE /v1/models",
    "GET /oauth/token",
  ]) {
    expect([line, (await ask(line)).statuses]).toEqual([line, [401]]);
    expect([line, (await ask(line, signedIn)).statuses]).toEqual([line, [404]]);
  }
  expect(scene.upstream.seen).toEqual([]);
});

test("what several X-Forwarded-For lines say counts as one list, the last line last", async () => {
  const lines = (...values: string[]) =>
    values.map((value) => `X-Forwarded-For: ${value}\r\n`).join("");
  expect((await ask("GET /healthz", lines("9.9.9.9", "10.1.1.1"))).statuses).toEqual([200]);
  expect((await ask("GET /healthz", lines("10.1.1.1", "9.9.9.9"))).statuses).toEqual([403]);
  expect((await ask("GET /healthz", lines("10.1.1.1", "9.9.9.9", "127.0.0.1"))).statuses).toEqual([
    403,
  ]);
  expect((await ask("GET /healthz", lines("10.1.1.1", "junk"))).statuses).toEqual([403]);
  await scene.gateway.audited("access.denied", { reason: "xff_unparseable" });
  for (const header of ["X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]) {
    expect((await ask("GET /healthz", `${header}: 9.9.9.9\r\n`)).statuses).toEqual([200]);
  }
});
