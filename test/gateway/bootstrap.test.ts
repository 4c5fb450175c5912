// GET /user/bootstrap of a running gateway: who is given a configuration of Claude Desktop, what it is sent with, and why others
// are given none. What follows from which setting is in policy/desktop-configuration.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import { openScene, type Scene, startUpstream } from "../support/scene.ts";

const opsOnly = startUpstream();
const forGroup = (group: string, policy: object) => ({ match: { groups: [group] }, ...policy });

/** Settings under code, telemetry with labels, an operator's models, two upstreams. */
const opensCode = openScene((config) => {
  config.session.ttl_hours = 0.5;
  config.upstreams = [
    { ...config.upstreams[0], name: "open" },
    { provider: "anthropic", name: "ops", base_url: opsOnly.url, auth: { api_key: "k" }, groups: ["ops"], models: ["claude-fable-5"] },
  ];
  config.models = [
    { id: "house", label: "House", description: "ours", upstream_model: { open: "claude-sonnet-5" } },
    { id: "small", upstream_model: { open: "claude-haiku-4-5" } },
  ];
  config.telemetry = {
    forward_to: [{ url: "http://localhost:1/" }],
    resource_attributes: { team: "core", "a.b": "x" },
  };
  config.managed = {
    policies: [
      forGroup("eng", {
        code: {
          availableModels: ["house", "small", "haiku"],
          permissions: { deny: ["WebFetch", "Bash(rm *)", "mcp__x"] },
          sandbox: { network: { allowedDomains: ["a.example", "*.b.example"] } },
          env: { OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "http/json" },
        },
        desktop: {
          zzz: { kept: [null] },
          disableAutoUpdates: true,
          disabledBuiltinTools: ["Bash"],
          builtinToolPolicy: { Bash: "allow", Edit: "ask" },
        },
      }),
      forGroup("short", { code: { env: { CLAUDE_CODE_DISABLE_1M_CONTEXT: "1" }, availableModels: ["claude-opus-5-5"] } }),
      forGroup("none", { code: { availableModels: [] }, desktop: { coworkEgressAllowedHosts: [] } }),
      {
        match: {},
        code: { permissions: { deny: ["Edit"] } },
        desktop: {
          disableAutoUpdates: false,
          modelPrefer1mContext: true,
          disabledBuiltinTools: ["WebSearch", "Bash"],
          builtinToolPolicy: { Bash: "ask", Read: "allow" },
        },
      },
    ],
  };
}); // prettier-ignore
/** Opted in for some, without telemetry. */
const opensSome = openScene((config) => {
  config.managed = {
    policies: [
      forGroup("eng", { desktop: {}, serve_to_desktop: false }),
      forGroup("ops", { cli: { model: "opus" } }),
    ],
  };
});
const opensNobody = openScene((config) => {
  config.managed = { policies: [{ cli: { model: "opus" } }] };
});
const [code, some, nobody] = await Promise.all([opensCode, opensSome, opensNobody]);
afterAll(() => Promise.all([code, some, nobody, opsOnly].map((part) => part.stop())));

async function bootstrap(
  scene: Scene,
  groups: string[],
  init: {
    sub?: string;
    email?: string;
    headers?: Record<string, string>;
    method?: string;
    path?: string;
  } = {},
) {
  const {
    sub = "ada",
    email = "ada@example.com",
    headers,
    method = "GET",
    path = "/user/bootstrap",
  } = init;
  const bearer = await scene.bearer({ sub, email, groups });
  return fetch(scene.gateway.url + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...headers },
  });
}
const toldTo = async (scene: Scene, groups: string[]) =>
  (await (await bootstrap(scene, groups)).json()) as Record<string, unknown>;

describe("a configuration", () => {
  test("has every field that the gateway, the settings and the policy give it", async () => {
    const before = Math.floor(Date.now() / 1000);
    const response = await bootstrap(code, ["eng"]);
    expect(response.status).toBe(200);
    const { expiresAt, ...told } = (await response.json()) as Record<string, unknown>;
    expect(told).toEqual({
      inferenceProvider: "gateway",
      inferenceGatewayBaseUrl: code.gateway.url,
      inferenceCredentialKind: "interactive",
      inferenceGatewayManagedClaudeCode: true,
      otlpEndpoint: code.gateway.url,
      otlpProtocol: "http/json",
      otlpResourceAttributes: {
        team: "core",
        "a.b": "x",
        "enduser.id": "ada@example.com",
        "user.email": "ada@example.com",
        "user.groups": "eng",
        "enduser.sub": "ada",
      },
      inferenceModels: [
        { name: "house", labelOverride: "House", supports1m: true },
        { name: "small" },
        { name: "claude-haiku-4-5-20251001" },
        { name: "claude-haiku-5-5", supports1m: true },
      ],
      coworkEgressAllowedHosts: ["a.example", "*.b.example"],
      disabledBuiltinTools: ["Edit", "WebFetch", "WebSearch", "Bash"],
      builtinToolPolicy: { Bash: "ask", Read: "allow", Edit: "ask" },
      disableAutoUpdates: true,
      modelPrefer1mContext: true,
      zzz: { kept: [null] },
    });
    expect(expiresAt).toBeNumber();
    expect(Math.floor(Number(expiresAt)) - before - 1800).toBeOneOf([0, 1, 2]);
  });

  test("of a policy without a block of its own is the catch-all's", async () => {
    const told = await toldTo(code, ["short"]);
    expect(told).toMatchObject({
      inferenceModels: [{ name: "claude-opus-5-5" }],
      disabledBuiltinTools: ["Edit", "WebSearch", "Bash"],
      disableAutoUpdates: false,
      otlpProtocol: "http/protobuf",
    });
  });

  test("lists no models where the person has none, and no hosts where the policy says none", async () => {
    const told = await toldTo(code, ["none"]);
    expect(told).not.toHaveProperty("inferenceModels");
    expect(told["coworkEgressAllowedHosts"]).toEqual([]);
  });

  test("lists the models that GET /v1/models lists to the same person, in its order", async () => {
    for (const groups of [["eng"], ["ops"], ["short"], []]) {
      const bearer = await code.bearer({ sub: "ada", email: "ada@example.com", groups });
      const headers = { authorization: `Bearer ${bearer}` };
      const { data } = (await (
        await fetch(`${code.gateway.url}/v1/models`, { headers })
      ).json()) as { data: { id: string }[] };
      const { inferenceModels } = await toldTo(code, groups);
      expect((inferenceModels as { name: string }[]).map(({ name }) => name)).toEqual(
        data.map(({ id }) => id),
      );
    }
  });

  test("holds the person and nobody else", async () => {
    const response = await bootstrap(code, ["ops", "a,b"], {
      sub: "bob b",
      email: "bob@example.com",
    });
    const { otlpResourceAttributes } = (await response.json()) as Record<string, unknown>;
    expect(otlpResourceAttributes).toEqual({
      team: "core",
      "a.b": "x",
      "enduser.id": "bob@example.com",
      "user.email": "bob@example.com",
    });
  });

  test("without telemetry and code says nothing of them, whatever serve_to_desktop says", async () => {
    const told = await toldTo(some, ["eng"]);
    expect(Object.keys(told)).toEqual([
      "inferenceProvider",
      "inferenceGatewayBaseUrl",
      "inferenceCredentialKind",
      "inferenceModels",
      "expiresAt",
    ]);
  });

  test("is not to be stored", async () => {
    const { headers } = await bootstrap(code, ["eng"], {
      headers: { "if-none-match": "*", "user-agent": "x" },
      path: "/user/bootstrap?x=y",
    });
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("pragma")).toBe("no-cache");
    expect(headers.get("content-type")).toBe("application/json;charset=utf-8");
    expect(headers.get("x-gateway-spend-admin")).toBe("false");
    expect([headers.get("etag"), headers.get("vary"), headers.get("x-cc-gateway-version")]).toEqual(
      [null, null, null],
    );
  });

  test("that is served is in the audit, with the place of the policy", async () => {
    for (const [groups, index] of [
      [["eng"], 0],
      [["short"], 1],
      [[], 3],
    ] as const) {
      const response = await bootstrap(code, [...groups]);
      await code.gateway.audited("desktop_bootstrap.serve", {
        request_id: response.headers.get("x-request-id"),
        sub: "ada",
        email: "ada@example.com",
        policy_index: index,
      });
    }
  });
});

describe("none, with the reason in the answer and in the audit,", () => {
  test.each<[string, Scene, string[], string, string]>([
    [
      "is for anybody where no policy opts in",
      nobody,
      [],
      "not_configured",
      'Claude Desktop is not configured on this gateway — add a "desktop:" block to a managed policy',
    ],
    [
      "is for people whose policy does not",
      some,
      ["ops"],
      "policy_not_opted_in",
      'the policy matching this user does not opt into desktop — add a "desktop:" block to it',
    ],
    [
      "is for people whom no policy matches",
      some,
      ["Eng"],
      "no_policy_matched",
      "no policy matched",
    ],
  ])("%s", async (_, scene, groups, reason, message) => {
    const response = await bootstrap(scene, groups);
    const requestId = response.headers.get("x-request-id");
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      type: "error",
      request_id: requestId,
      error: { type: "not_found_error", message },
    });
    expect([
      response.headers.get("cache-control"),
      response.headers.get("pragma"),
      response.headers.get("x-gateway-spend-admin"),
    ]).toEqual(["no-store", "no-cache", null]);
    await scene.gateway.audited("desktop_bootstrap.denied", {
      request_id: requestId,
      reason,
      sub: "ada",
      email: "ada@example.com",
    });
    expect(
      scene.gateway.audit("desktop_bootstrap.serve").map(({ request_id: id }) => id),
    ).not.toContain(requestId);
  });
});

test.each(["POST", "PUT", "DELETE"])("%s is no way to ask", async (method) => {
  expect((await bootstrap(code, ["eng"], { method })).status).toBe(404);
});

test("nobody without a bearer is told anything", async () => {
  const response = await fetch(`${code.gateway.url}/user/bootstrap`);
  expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
});
