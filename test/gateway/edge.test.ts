// What is answered before and beside the API: limits, addresses, documents, and the paths of later versions.
import { afterAll, expect, test } from "bun:test";
import { openScene } from "../support/scene.ts";

const scene = await openScene((config) => {
  config.limits = {
    max_request_bytes: 10_000,
    max_request_header_bytes: 3_000,
    max_url_length: 1_500,
  };
  config.access_control = { deny_cidrs: ["9.9.9.0/24"] };
  config.listen.trusted_proxies = ["127.0.0.1"];
});
const { gateway, bearer } = scene;
afterAll(() => scene.stop());

const ask = async (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(gateway.url + path, {
    ...init,
    headers: { authorization: `Bearer ${await bearer()}`, ...headers },
  });
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  return [response.status, error.type, error.message];
};

test("every answer carries the security headers and a request id", async () => {
  for (const path of ["/", "/healthz", "/device", "/nope", "/v1/models"]) {
    const { headers } = await ask(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test("a URL, headers or body over their limit are refused in the envelope of the API", async () => {
  expect(await errorOf(await ask(`/v1/models?${"a".repeat(2_000)}`))).toEqual([
    414,
    "invalid_request_error",
    "uri too long",
  ]);
  expect(await errorOf(await ask("/v1/models", { "x-big": "y".repeat(4_000) }))).toEqual([
    431,
    "invalid_request_error",
    "request header fields too large",
  ]);
  const body = "x".repeat(20_000);
  expect(await errorOf(await ask("/v1/messages", {}, { method: "POST", body }))).toEqual([
    413,
    "request_too_large",
    "payload too large",
  ]);
});

test("the sign-in endpoints refuse in OAuth's shape, and the health paths know no limit", async () => {
  const response = await ask(
    "/oauth/device_authorization",
    {},
    { method: "POST", body: "x".repeat(20_000) },
  );
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ error: "invalid_request" });
  expect((await ask(`/healthz?${"a".repeat(2_000)}`)).status).toBe(200);
});

test("a denied address gets 403 everywhere, is audited, and cannot pass by writing a header of its own", async () => {
  for (const path of ["/", "/healthz", "/v1/models"]) {
    expect((await ask(path, { "x-forwarded-for": "1.1.1.1, 9.9.9.9" })).status).toBe(403);
  }
  expect(await errorOf(await ask("/v1/models", { "x-forwarded-for": "9.9.9.9" }))).toEqual([
    403,
    "permission_error",
    "forbidden",
  ]);
  await gateway.audited("access.denied", {
    reason: "ip_denylist",
    client_ip: "9.9.9.9",
  });
  expect((await ask("/v1/models", { "x-forwarded-for": "9.9.9.9, 1.1.1.1" })).status).toBe(200);
});

test("a public client is audited once and warned of once", async () => {
  for (let times = 0; times < 3; times++) await ask("/healthz", { "x-forwarded-for": "8.8.8.8" });
  await gateway.audited("access.public_client", { client_ip: "8.8.8.8" });
  await gateway.waitForLog(/public address/);
  const seen = gateway
    .audit("access.public_client")
    .filter(({ client_ip }) => client_ip === "8.8.8.8");
  expect(seen).toHaveLength(1);
  expect(gateway.stderr().match(/public address/g)).toHaveLength(1);
});

test("telemetry is accepted and dropped, and paths of later versions are not there", async () => {
  for (const signal of ["metrics", "logs", "traces"]) {
    const response = await ask(`/v1/${signal}`, {}, { method: "POST", body: "\x0a" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  }
  for (const path of [
    "/managed/settings",
    "/user/bootstrap",
    "/api/oauth/usage",
    "/v1/organizations/spend_limits",
  ]) {
    expect((await ask(path)).status).toBe(404);
  }
});

test("the landing page, the protocol and the metadata are there for anybody", async () => {
  const landing = await (await fetch(gateway.url)).text();
  expect(landing).toContain(gateway.url);
  expect(landing).toMatch(/<dt>Version<\/dt><dd>\d+\.\d+/);
  const protocol = await fetch(`${gateway.url}/protocol`);
  expect(protocol.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
  expect(await protocol.text()).toMatch(/gateway protocol/i);
  const metadata = await fetch(`${gateway.url}/.well-known/oauth-authorization-server`, {
    headers: { host: "evil.example" },
  });
  expect(await metadata.json()).toEqual({
    issuer: gateway.url,
    device_authorization_endpoint: `${gateway.url}/oauth/device_authorization`,
    token_endpoint: `${gateway.url}/oauth/token`,
    revocation_endpoint: `${gateway.url}/oauth/revoke`,
    grant_types_supported: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    scopes_supported: ["openid", "profile", "email"],
    gateway_protocol_version: 1,
  });
});

test("the model list names what can be asked for, and each of it is served", async () => {
  const { data } = (await (await ask("/v1/models")).json()) as {
    data: { id: string; type: string }[];
  };
  expect(data.map(({ id }) => id)).toContain("claude-sonnet-4-6");
  for (const { id } of data)
    expect((await scene.message({ model: id, messages: [] })).status).toBe(200);
});
