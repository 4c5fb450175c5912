// Counting tokens on Bedrock: what is asked, and for how long it is not asked again where it does not work.
import { afterAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createSecretSigner } from "../../src/upstream/aws/signing.ts";
import { createBedrockCount } from "../../src/upstream/aws/bedrock-count.ts";
import { nothingOmitted, UnsupportedCallError } from "../../src/upstream/exchange.ts";
import { PrincipalUnfitError } from "../../src/upstream/upstream.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";

const minuteMs = 60_000;
const api = startCloudApi();
afterAll(() => api.stop());
let nowMs = 0;
beforeEach(() => {
  nowMs = 1_000_000;
  api.seen.length = 0;
  api.answer = () => Response.json({ inputTokens: 17 });
});

function openCount(changes: Partial<Parameters<typeof createBedrockCount>[0]> = {}) {
  const { exchange, readJson } = createBedrockCount({
    base: `${api.url}/proxy`,
    name: "bedrock",
    userAgent: "gateway/1",
    fetch: fetchHere,
    fixed: { "x-team": "a" },
    sign: createSecretSigner("authorization", "Bearer key"),
    now: () => nowMs,
    ...changes,
  });
  const ask = (
    upstreamModel = "us.anthropic.claude-opus-4-8",
    signal = AbortSignal.timeout(5_000),
  ) =>
    exchange(
      outboundCall(
        { model: "claude-opus-4-8", messages: [] },
        { upstreamModel, path: "/v1/messages/count_tokens", headers: { "x-stainless-lang": "js" } },
      ),
      nothingOmitted,
      signal,
    );
  return { ask, readJson };
}

const refuse = (status: number, message: string, headers: Record<string, string> = {}) => {
  api.answer = () => Response.json({ message }, { status, headers });
};
const unsupportedModel = () => refuse(400, "The provided model doesn't support counting tokens.");
/** Whether it says that it cannot count. */
const isUnsupported = async (asked: Promise<unknown>) =>
  (await rejection(asked)) instanceof UnsupportedCallError;

describe("a count", () => {
  test("is asked for as the API wants it", async () => {
    const { ask, readJson } = openCount();
    const answer = await ask();
    expect(Buffer.from(readJson(await answer.bytes())).toString()).toBe('{"input_tokens":17}');
    const [{ path, headers, body } = expect.unreachable()] = api.seen;
    expect(path).toBe("POST /proxy/model/anthropic.claude-opus-4-8/count-tokens");
    const { input } = JSON.parse(body);
    expect(JSON.parse(Buffer.from(input.invokeModel.body, "base64").toString())).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      max_tokens: 1,
      messages: [],
    });
    expect(headers.get("authorization")).toBe("Bearer key");
    expect(headers.get("user-agent")).toBe("gateway/1");
    expect(headers.get("x-stainless-lang")).toBe("js");
    expect(headers.get("x-team")).toBe("a");
  });

  test.each([
    ["us.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"],
    ["global.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"],
    ["us-gov.anthropic.claude-3", "anthropic.claude-3"],
    ["anthropic.claude-3-v1:0", "anthropic.claude-3-v1%3A0"],
    ["a/b", "a%2Fb"],
    ["x.us.anthropic.claude-3", "x.us.anthropic.claude-3"],
  ])("for %s is asked of %s", async (model, segment) => {
    await openCount().ask(model);
    expect(api.seen[0]?.path).toBe(`POST /proxy/model/${segment}/count-tokens`);
  });

  test("for an inference profile of the organisation's own is not asked for", async () => {
    const arn = "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/abc";
    expect(await isUnsupported(openCount().ask(arn))).toBe(true);
    expect(api.seen).toEqual([]);
  });

  test.each(['{"input_tokens":17}', '{"inputTokens":"17"}', "{}"])("is none in %s", (body) => {
    const { readJson } = openCount();
    expect(() => readJson(Buffer.from(body))).toThrow("no inputTokens");
  });
});

describe("a refusal", () => {
  test.each([
    ["the model cannot be counted", unsupportedModel],
    [
      "the region has no such model",
      () => refuse(400, "The provided model identifier is invalid."),
    ],
    [
      "the role may not count",
      () => refuse(403, "no", { "x-amzn-errortype": "AccessDeniedException" }),
    ],
    ["there is no such model or operation", () => refuse(404, "no")],
  ])("because %s is kept for ten minutes", async (_, refusal) => {
    refusal();
    const { ask } = openCount();
    expect(await isUnsupported(ask())).toBe(true);
    nowMs += 10 * minuteMs - 1;
    expect(await isUnsupported(ask())).toBe(true);
    expect(api.seen).toHaveLength(1);
    nowMs += 1;
    api.answer = () => Response.json({ inputTokens: 17 });
    expect((await ask()).ok).toBe(true);
  });

  test.each<[string, number, string, Record<string, string>]>([
    [
      "the request was at fault, as any developer's may be",
      400,
      "prompt is too long: 1 tokens",
      {},
    ],
    [
      "the request quotes such a refusal",
      400,
      "messages.0: The provided model doesn't support it",
      {},
    ],
    ["the request was too large", 413, "too large", {}],
    ["AWS is busy", 429, "Too many requests", {}],
    ["AWS took too long", 408, "timeout", {}],
    ["AWS is down", 500, "The provided model is not well", {}],
    ["it cannot tell who asks", 401, "no", {}],
    ["the keys have expired", 403, "no", { "x-amzn-errortype": "ExpiredTokenException:http://a" }],
  ])("because %s is not kept", async (_, status, message, headers) => {
    refuse(status, message, headers);
    const { ask } = openCount();
    expect(await isUnsupported(ask())).toBe(true);
    api.answer = () => Response.json({ inputTokens: 17 });
    expect((await ask()).ok).toBe(true);
  });

  test("is kept for its model, in whatever geography, and for no other", async () => {
    unsupportedModel();
    const { ask } = openCount();
    await rejection(ask("us.anthropic.a"));
    api.answer = () => Response.json({ inputTokens: 17 });
    expect(await isUnsupported(ask("eu.anthropic.a"))).toBe(true);
    expect((await ask("us.anthropic.b")).ok).toBe(true);
  });

  test("is kept for a thousand models: of more, for those refused last", async () => {
    unsupportedModel();
    const { ask } = openCount();
    for (let model = 0; model < 1_001; model++) await rejection(ask(`m${model}`));
    api.seen.length = 0;
    await rejection(ask("m1"));
    await rejection(ask("m1000"));
    expect(api.seen).toEqual([]);
    await rejection(ask("m0"));
    expect(api.seen).toHaveLength(1);
  });
});

describe("without an answer", () => {
  const never = new AbortController().signal;

  test.each([
    ["the head of an answer", () => new Promise<Response>(() => undefined)],
    ["the body of a refusal", () => new Response(new ReadableStream(), { status: 404 })],
  ])("within ten seconds, %s, counting is not supported just now", async (_, answer) => {
    const silent = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    const clock = new AbortController();
    const timeout = spyOn(AbortSignal, "timeout").mockReturnValue(clock.signal);
    const asked = isUnsupported(openCount({ base: silent.url.origin }).ask("m", never));
    try {
      await Bun.sleep(50);
      expect(timeout.mock.calls).toEqual([[10_000]]);
      clock.abort();
      expect(await asked).toBe(true);
    } finally {
      timeout.mockRestore();
      await silent.stop(true);
    }
  });

  test("when the client has gone away it is no answer, and not one about the model", async () => {
    api.answer = () => Response.json({ inputTokens: 17 });
    const error = await rejection(openCount().ask("m", AbortSignal.abort()));
    expect(error).not.toBeInstanceOf(UnsupportedCallError);
  });

  test("because nobody is there, another upstream is to be asked", async () => {
    const error = await rejection(openCount({ base: "http://127.0.0.1:1" }).ask());
    expect(error).not.toBeInstanceOf(UnsupportedCallError);
  });

  test("because of the person, that is what is told", async () => {
    const sign = () => Promise.reject(new PrincipalUnfitError("no email"));
    expect(await rejection(openCount({ sign }).ask())).toBeInstanceOf(PrincipalUnfitError);
    expect(api.seen).toEqual([]);
  });
});
