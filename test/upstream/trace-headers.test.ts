// The headers that tell an upstream of a request's place in a trace, as each provider's API gets them. Where that place comes
// from is tried in telemetry/requests/trace-context.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createUpstreams } from "../../src/upstream/upstreams.ts";
import type { OutboundCall } from "../../src/upstream/upstream.ts";
import { edited, load } from "../config/samples.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { everyProvider, providers, signedFor } from "../support/every-provider.ts";
import { signedHeadersOf, verifySigV4 } from "../support/sigv4.ts";
import { sourceKeys } from "../support/sts.ts";

const api = startCloudApi();
// A message for who asks for one, and a count in the words of every provider.
api.answer = () =>
  Response.json({ type: "message", content: [], inputTokens: 17, input_tokens: 17 });
beforeEach(() => void (api.seen.length = 0));
afterAll(() => api.stop());

const trace = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
};
const operators = "00-11111111111111111111111111111111-2222222222222222-01";

async function upstreamsWith(more: object = {}) {
  const text = edited((config) => (config.upstreams = everyProvider(api.url, more)));
  const { config } = load(text, { env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" } });
  const upstreams = await createUpstreams(config, {
    userAgent: "gateway/1",
    now: Date.now,
    fetch: fetchHere,
    providerFetch: fetchHere,
  });
  return new Map(upstreams.map((upstream) => [upstream.name, upstream]));
}
const plain = await upstreamsWith();
const pinned = await upstreamsWith({ headers: { TraceParent: operators } });

/** What the API gets. */
async function sent(
  provider: string,
  {
    upstreams = plain,
    ...changes
  }: { upstreams?: typeof plain } & Partial<
    Omit<OutboundCall, "call" | "headers"> & { headers: Record<string, string> }
  > = {},
) {
  const call = outboundCall({ model: "claude-opus-4-8", max_tokens: 1, messages: [] }, changes);
  await upstreams.get(provider)?.send(call, AbortSignal.timeout(5_000));
  return api.seen.at(-1) ?? expect.unreachable();
}
const traceIn = ({ headers }: { headers: Headers }) => ({
  traceparent: headers.get("traceparent"),
  tracestate: headers.get("tracestate"),
});

describe.each(providers)("%s", (provider) => {
  test.each(["/v1/messages", "/v1/messages/count_tokens"] as const)(
    "is told of the trace, on %s",
    async (path) => expect(traceIn(await sent(provider, { path, trace }))).toEqual(trace),
  );

  test("is told nothing of a trace but what it is to be told, whatever the client sent", async () => {
    const headers = { ...trace, baggage: "user.email=ada@example.com", b3: "1-2-1" };
    const seen = await sent(provider, { headers });
    for (const name of Object.keys(headers)) expect(seen.headers.has(name)).toBe(false);
    const { traceparent } = trace;
    expect(traceIn(await sent(provider, { headers, trace: { traceparent } }))).toEqual({
      traceparent,
      tracestate: null,
    });
  });

  test("is told of the operator's own trace before any other", async () => {
    const seen = await sent(provider, { upstreams: pinned, trace });
    expect(seen.headers.get("traceparent")).toBe(operators);
  });
});

describe.each(Object.entries(signedFor))("the signature for %s", (provider, scope) => {
  test.each([
    ["the request's trace", plain],
    ["the operator's", pinned],
  ])("holds, and is not over %s, which a proxy may write anew", async (_, upstreams) => {
    const { headers, path, body } = await sent(provider, { upstreams, trace });
    expect(signedHeadersOf(headers)).not.toContain("traceparent");
    expect(signedHeadersOf(headers)).not.toContain("tracestate");
    const { secretAccessKey } = sourceKeys;
    const request = { method: "POST", url: path.replace("POST ", ""), headers };
    expect(
      verifySigV4({ ...request, body: Buffer.from(body) }, { secretAccessKey, ...scope }),
    ).toBe(true);
  });
});
