// The input of a call whose own answer did not tell it, as its provider counts it free of charge. How a count looks on each
// provider's wire is in gateway/providers.test.ts, what Bedrock's takes in bedrock-count.test.ts.
import { afterAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createUpstreams } from "../../src/upstream/upstreams.ts";
import { edited, load } from "../config/samples.ts";
import { sample } from "../config/upstream-samples.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";

clearAwsEnvironment();

const api = startCloudApi();
afterAll(() => api.stop());
beforeEach(() => {
  api.seen.splice(0);
  api.answer = () => Response.json({ input_tokens: 17, inputTokens: 17 });
});

const messages = '[{"role":"user","content":"h\\u00e9 1.0"}]';
const body =
  `{"stream":true,"max_tokens":5000,"messages":${messages},"metadata":{"x":1},"tools":[ {"name":"t"} ],"temperature":1,` +
  `"system":"s","model":"claude-opus-4-8","tool_choice":{"type":"auto"},"thinking":{"type":"adaptive"},"speed":"fast","tags":{}}`;
const outbound = outboundCall(body, { search: "?beta=true", headers: { "anthropic-beta": "a" } });
const soon = () => AbortSignal.timeout(5_000);

const keys = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };
const auths: Record<string, object> = {
  anthropic: { api_key: "k" },
  bedrock: { aws_bearer_token: "k" },
  mantle: keys,
  anthropicAws: { api_key: "k" },
  vertex: { access_token: "k" },
  anthropicGoogleCloud: { access_token: "k" },
  foundry: { api_key: "k" },
};

async function upstreamOf(provider: string, more: object = {}) {
  const entry = { ...sample(provider), base_url: `${api.url}/p`, auth: auths[provider], ...more };
  const { config } = load(
    edited((c) => (c.upstreams = [entry])),
    {
      env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" },
    },
  );
  const [upstream] = await createUpstreams(config, {
    userAgent: "gw/1",
    now: Date.now,
    fetch: fetchHere,
    providerFetch: fetchHere,
  });
  return async (signal = soon()) => {
    expect(upstream).toHaveProperty("countInput");
    return upstream?.countInput?.(outbound, signal);
  };
}

describe.each(Object.keys(auths))("at %s", (provider) => {
  test("what a count answers is told", async () => {
    expect(await (await upstreamOf(provider))()).toBe(17);
  });

  test.each<[string, () => Response]>([
    ["refuses", () => Response.json({ message: "no", input_tokens: 1 }, { status: 403 })],
    ["is down", () => Response.json({ input_tokens: 1, inputTokens: 1 }, { status: 500 })],
    ["tells no number", () => Response.json({ input_tokens: "17", inputTokens: "17" })],
    ["tells a part of a token", () => Response.json({ input_tokens: 1.5, inputTokens: 1.5 })],
    ["tells fewer than none", () => Response.json({ input_tokens: -1, inputTokens: -1 })],
    ["answers no JSON", () => new Response("<html>")],
    ["answers nothing", () => new Response()],
    ["answers without end", () => new Response("7".repeat(100_000))],
    ["leads elsewhere", () => Response.redirect(api.url)],
  ])("one that %s tells nothing, and is asked for no more than the count", async (_, answer) => {
    api.answer = answer;
    expect(await (await upstreamOf(provider))()).toBeUndefined();
    expect(api.seen).toHaveLength(1);
    expect(api.seen[0]?.path).toMatch(/count[_-]tokens/);
  });
});

test("the count is of what is counted, in the client's own bytes, and of the whole of it", async () => {
  await (
    await upstreamOf("anthropic")
  )();
  const [{ path, body: asked, headers } = expect.unreachable()] = api.seen;
  expect(path).toBe("POST /p/v1/messages/count_tokens?beta=true");
  expect(asked).toBe(
    `{"model":"claude-opus-4-8","system":"s","messages":${messages},"tools":[ {"name":"t"} ],"tool_choice":{"type":"auto"},"thinking":{"type":"adaptive"}}`,
  );
  expect(headers.get("anthropic-beta")).toBe("a");
});

test("Bedrock is sent it as CountTokens takes it, for the model that AWS knows", async () => {
  await (
    await upstreamOf("bedrock")
  )();
  const [{ path, body: asked } = expect.unreachable()] = api.seen;
  expect(path).toBe("POST /p/model/claude-opus-4-8/count-tokens");
  const { invokeModel } = JSON.parse(asked).input;
  expect(JSON.parse(Buffer.from(invokeModel.body, "base64").toString())).toEqual({
    anthropic_version: "bedrock-2023-05-31",
    max_tokens: 1,
    system: "s",
    messages: JSON.parse(messages),
    tools: [{ name: "t" }],
    tool_choice: { type: "auto" },
    thinking: { type: "adaptive" },
  });
});

describe("nothing is told", () => {
  test("when nobody is there, when it was given up, or of somebody without a session at AWS", async () => {
    expect(await (await upstreamOf("anthropic", { base_url: "http://127.0.0.1:1" }))()).toBeUndefined();
    expect(await (await upstreamOf("anthropic"))(AbortSignal.abort())).toBeUndefined();
    const role = { role_arn: "arn:aws:iam::111122223333:role/a", session_name: "email" };
    const nameless = await upstreamOf("bedrock", { auth: keys, assume_role: role });
    expect(await nameless()).toBeUndefined();
    expect(api.seen).toEqual([]);
  }); // prettier-ignore

  test("when Bedrock has refused to count for good just now", async () => {
    const count = await upstreamOf("bedrock");
    api.answer = () => Response.json({ message: "no" }, { status: 404 });
    expect([await count(), await count()]).toEqual([undefined, undefined]);
    expect(api.seen).toHaveLength(1);
  });

  test("within ten seconds", async () => {
    const silent = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => undefined) });
    const clock = new AbortController();
    const timeout = spyOn(AbortSignal, "timeout").mockReturnValue(clock.signal);
    const count = await upstreamOf("anthropic", { base_url: silent.url.origin });
    const counted = count(new AbortController().signal);
    try {
      await Bun.sleep(50);
      expect(timeout.mock.calls).toEqual([[10_000]]);
      clock.abort();
      expect(await counted).toBeUndefined();
    } finally {
      timeout.mockRestore();
      await silent.stop(true);
    }
  }); // prettier-ignore
});
