// What reaches the Anthropic API, or a proxy that speaks it, with each kind of credential, and what comes back.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { createAnthropicUpstream } from "../../src/upstream/anthropic/anthropic.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { fetchHere } from "../support/egress.ts";
import { type CloudApi, outboundCall, startCloudApi } from "../support/cloud-api.ts";

let api: CloudApi;
beforeEach(() => void (api = startCloudApi()));
afterEach(() => api.stop());

const signal = new AbortController().signal;
const ada = { sub: "u1", email: "ada@example.com", name: undefined, groups: [] };

function upstream(changes: Partial<UpstreamOf<"anthropic">> = {}) {
  return createAnthropicUpstream(
    {
      provider: "anthropic",
      name: "a",
      base_url: `${api.url}/sub`,
      auth: { api_key: "sk-1" },
      headers: {},
      compatibility: { learn: false },
      forward_user_identity: false,
      ...changes,
    },
    {
      userAgent: "gw/1",
      ttfbMs: { streamed: 1_000, whole: 1_000 },
      now: Date.now,
      fetch: fetchHere,
    },
  );
}

const call = (
  changes: Parameters<typeof outboundCall>[1] = {},
  body = '{"model": "m", "n":1.50}',
) => outboundCall(body, changes);

/** Headers of the only request that came. */
function onlySeen(): Headers {
  expect(api.seen).toHaveLength(1);
  return api.seen[0]?.headers ?? new Headers();
}

describe("a request", () => {
  test("goes below base_url with its path, query and bytes as they came", async () => {
    await upstream().send(call({ search: "?beta=true" }), signal);
    expect(api.seen[0]).toMatchObject({
      path: "POST /sub/v1/messages?beta=true",
      body: '{"model": "m", "n":1.50}',
    });
  });

  test("names the model as the upstream knows it, and is else unchanged", async () => {
    await upstream().send(call({ upstreamModel: "mapped" }), signal);
    expect(api.seen[0]?.body).toBe('{"model": "mapped", "n":1.50}');
  });

  test("carries the operator's headers, the SDK's and the API's of the client, and nothing else of it", async () => {
    const sent = {
      "anthropic-version": "2023-06-01",
      "anthropic-beta": "x-1",
      "x-stainless-os": "Linux",
      "user-agent": "cli/2",
    };
    const dropped = {
      authorization: "Bearer ours",
      "x-api-key": "theirs",
      cookie: "a=b",
      "x-claude-gateway-user-id": "root",
      "x-claude-gateway-user-email": "root@example.com",
      "x-litellm-end-user-id": "root",
      "x-forwarded-for": "10.0.0.1",
      // Longer than anything an SDK says of itself.
      "x-stainless-lang": "x".repeat(257),
    };
    await upstream({ headers: { "x-team": "platform" } }).send(
      call({ headers: { ...sent, ...dropped } }),
      signal,
    );
    const headers = onlySeen();
    expect(headers.toJSON()).toMatchObject({
      ...sent,
      "user-agent": "cli/2 gw/1",
      "x-team": "platform",
    });
    expect(headers.get("x-api-key")).toBe("sk-1");
    for (const name of Object.keys(dropped)) {
      if (name !== "x-api-key") expect(headers.has(name)).toBe(false);
    }
  });
});

describe("an OAuth access token", () => {
  const auth = { oauth_token: "at-0" };

  test.each([
    [undefined, "oauth-2025-04-20"],
    ["", "oauth-2025-04-20"],
    ["x-1,y-2", "x-1,y-2,oauth-2025-04-20"],
    ["oauth-2025-04-20,x-1", "oauth-2025-04-20,x-1"],
    ["x-1, oauth-2025-04-20", "x-1, oauth-2025-04-20"],
  ])("beside the betas %j makes them %j", async (asked, sent) => {
    await upstream({ auth }).send(
      call({ headers: asked === undefined ? {} : { "anthropic-beta": asked } }),
      signal,
    );
    expect(onlySeen().get("anthropic-beta")).toBe(sent);
    expect(onlySeen().get("authorization")).toBe("Bearer at-0");
    expect(onlySeen().has("x-api-key")).toBe(false);
  });

  test("that is refused is not replaced: the answer is the upstream's", async () => {
    api.answer = () => Response.json({}, { status: 401 });
    const { response } = await upstream({ auth }).send(call(), signal);
    expect(response.status).toBe(401);
    expect(api.seen).toHaveLength(1);
  });
});

describe("a federated upstream", () => {
  let directory: string;
  let issued: number;
  /** Access tokens that the API does not take. */
  let revoked: string[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "anthropic-"));
    writeFileSync(join(directory, "token"), "identity");
    issued = 0;
    revoked = [];
    api.answer = ({ url, headers }) => {
      if (url.endsWith("/v1/oauth/token"))
        return Response.json({ access_token: `at-${++issued}`, expires_in: 3600 });
      const bearer = headers.get("authorization")?.replace("Bearer ", "") ?? "";
      return Response.json(
        { type: "message", input_tokens: 1, said: bearer },
        { status: revoked.includes(bearer) ? 401 : 200 },
      );
    };
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const federated = (file = "token") =>
    upstream({
      headers: { "x-team": "platform" },
      auth: {
        federation_rule_id: "fdrl_1",
        organization_id: "org_1",
        identity_token_file: join(directory, file),
      },
    });
  const paths = () => api.seen.map(({ path }) => path.replace("POST /sub/v1/", ""));
  const said = async (answer: Promise<{ response: Response }>) =>
    ((await (await answer).response.json()) as { said: string }).said;

  test("sends calls with the access token that it got for the identity token, which serves many", async () => {
    const a = federated();
    await a.send(call({ headers: { "anthropic-beta": "x-1" } }), signal);
    await a.send(call({ path: "/v1/messages/count_tokens" }), signal);
    expect(paths()).toEqual(["oauth/token", "messages", "messages/count_tokens"]);
    expect(api.seen[1]?.headers.toJSON()).toMatchObject({
      authorization: "Bearer at-1",
      "anthropic-beta": "x-1,oauth-2025-04-20",
      "x-team": "platform",
    });
    expect(api.seen[2]?.headers.get("anthropic-beta")).toBe("oauth-2025-04-20");
  });

  test("does not send the operator's headers to the exchange", async () => {
    await federated().send(call(), signal);
    expect(api.seen[0]?.headers.has("x-team")).toBe(false);
  });

  test("replaces an access token that the API refuses, for this call and those after it", async () => {
    const a = federated();
    await a.send(call(), signal);
    revoked = ["at-1"];
    expect(await said(a.send(call(), signal))).toBe("at-2");
    expect(await said(a.send(call(), signal))).toBe("at-2");
    expect(issued).toBe(2);
  });

  test("replaces it once for all calls that were refused together", async () => {
    const a = federated();
    await a.send(call(), signal);
    revoked = ["at-1"];
    const together = Array.from({ length: 5 }, () => said(a.send(call(), signal)));
    expect(new Set(await Promise.all(together))).toEqual(new Set(["at-2"]));
    expect(issued).toBe(2);
  });

  test("asks no third time: a second refusal is the answer", async () => {
    revoked = ["at-1", "at-2", "at-3"];
    const { response } = await federated().send(call(), signal);
    expect(response.status).toBe(401);
    expect(paths()).toEqual(["oauth/token", "messages", "oauth/token", "messages"]);
  });

  test("sends no call without an access token, and says whose is missing", async () => {
    const error = await federated("missing")
      .send(call(), signal)
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toStartWith("no credential for upstream 'a': the identity_token_file");
    expect(api.seen).toHaveLength(0);
  });
});

describe("with forward_user_identity", () => {
  const forwarding = () => upstream({ forward_user_identity: true });

  test("a proxy is told who asks, whatever the client says", async () => {
    await forwarding().send(
      call({ principal: ada, headers: { "x-claude-gateway-user-id": "root" } }),
      signal,
    );
    expect(onlySeen().toJSON()).toMatchObject({
      "x-claude-gateway-user-id": "u1",
      "x-claude-gateway-user-email": "ada@example.com",
      "x-litellm-end-user-id": "ada@example.com",
    });
  });

  test("a name that no header can carry is percent-encoded", async () => {
    const email = "zoë 😀@example.com";
    await forwarding().send(call({ principal: { ...ada, sub: "half\ud83d", email } }), signal);
    expect(onlySeen().get("x-claude-gateway-user-email")).toBe(
      "zo%C3%AB%20%F0%9F%98%80@example.com",
    );
    expect(onlySeen().get("x-claude-gateway-user-id")).toBe("half%EF%BF%BD");
  });

  test("a 429 is final: it is the person's own limit", async () => {
    api.answer = () => new Response(null, { status: 429, headers: { "retry-after": "7" } });
    expect(await forwarding().send(call({ principal: ada }), signal)).toMatchObject({
      final: true,
      retryAfterMs: 7_000,
    });
  });

  test("a 429 is not final for a person whose e-mail is not known", async () => {
    api.answer = () => new Response(null, { status: 429 });
    expect(await forwarding().send(call(), signal)).not.toHaveProperty("final");
  });

  test.each([200, 400, 401, 403, 500, 529])("a %d is not final", async (status) => {
    api.answer = () => Response.json({ type: "message" }, { status });
    expect(await forwarding().send(call({ principal: ada }), signal)).not.toHaveProperty("final");
  });
});

test("without forward_user_identity nobody is named, and a 429 is not final", async () => {
  api.answer = () => new Response(null, { status: 429 });
  const answer = await upstream().send(call({ principal: ada }), signal);
  expect(answer).not.toHaveProperty("final");
  expect(JSON.stringify(onlySeen().toJSON())).not.toContain("ada@example.com");
});

test("an answer keeps its status and bytes, and tells its id and cause apart from what the client gets", async () => {
  api.answer = () =>
    new Response("odd  bytes", {
      status: 529,
      headers: {
        "request-id": "req_up",
        "anthropic-ratelimit-requests-limit": "50",
        "x-kept": "1",
      },
    });
  const answer = await upstream().send(call(), signal);
  expect(answer).toMatchObject({ requestId: "req_up", cloudRequestId: null });
  expect(answer.cause).toStartWith("529");
  expect(answer.response.status).toBe(529);
  expect(await answer.response.text()).toBe("odd  bytes");
  expect(answer.response.headers.has("request-id")).toBe(false);
  expect(answer.response.headers.has("anthropic-ratelimit-requests-limit")).toBe(false);
  expect(answer.response.headers.get("x-kept")).toBe("1");
});

test("a redirect is not followed, and is the client's to see", async () => {
  const elsewhere = startCloudApi();
  api.answer = () => Response.redirect(`${elsewhere.url}/v1/messages`, 307);
  expect((await upstream().send(call(), signal)).response.status).toBe(307);
  expect(elsewhere.seen).toHaveLength(0);
  await elsewhere.stop();
});
