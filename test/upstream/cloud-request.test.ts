// What every cloud is sent, whichever it is: which headers go on, what changes in a body, and how a proof goes along.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  anthropicVersion,
  cloudBody,
  cloudHeaders,
  messagesRequest,
  modelChange,
} from "../../src/upstream/request/cloud-request.ts";
import { fixedProof, type Proof, post, postAs } from "../../src/upstream/request/post.ts";
import { createCredential } from "../../src/upstream/credential.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";

const call = {
  model: "claude-opus-5",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};
const options = { userAgent: "gateway/1", fixed: {} };
const unchanged = { drop: [], set: [] };
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);
const bodyOf = (...given: Parameters<typeof cloudBody>) => JSON.parse(textOf(cloudBody(...given)));
const omitting = (...fields: string[]) => ({ betas: new Set<string>(), fields: new Set(fields) });

describe("headers", () => {
  const headersOf = (headers: Record<string, string>, fixed: Record<string, string> = {}) =>
    Object.fromEntries(cloudHeaders(outboundCall(call, { headers }), { ...options, fixed }));

  test("are ours, and nothing of a client's that sends none", () =>
    expect(headersOf({})).toEqual({
      accept: "application/json",
      "anthropic-version": "2023-06-01",
      "content-type": "application/json",
      "user-agent": "gateway/1",
    }));

  test("of the client go on when they are the SDK's own, and no others", () => {
    const sent = headersOf({
      "x-stainless-lang": "js",
      "x-stainless-new": "1",
      accept: "text/event-stream",
      "anthropic-beta": "b",
      "anthropic-user-profile-id": "forged",
      "anthropic-version": "2024-01-01",
      "anthropic-workspace-id": "forged",
      authorization: "Bearer ours-to-read",
      "content-type": "text/plain",
      cookie: "a=b",
      traceparent: "00-1",
      "user-agent": "claude-cli/2",
      "x-amz-date": "1",
      "x-api-key": "theirs",
      "x-goog-user-project": "theirs",
    });
    expect(sent).toEqual({
      ...headersOf({}),
      "x-stainless-lang": "js",
      "x-stainless-new": "1",
    });
  });

  test.each(["é", "a\tb", "", "\u0080"])(
    "of the client do not go on with the value %j, which a signature may not survive",
    (value) => expect(headersOf({ "x-stainless-lang": value })).toEqual(headersOf({})),
  );

  test("of the operator are sent, and win over the client's but not over ours", () => {
    const sent = headersOf(
      { "x-stainless-lang": "js" },
      { "x-team": "a", "X-Stainless-Lang": "none", Accept: "text/html" },
    );
    expect(sent).toEqual({ ...headersOf({}), "x-team": "a", "x-stainless-lang": "none" });
  });

  const profileOf = (json: string) =>
    cloudHeaders(outboundCall(`{"model":"m","user_profile_id":${json}}`), options).get(
      "anthropic-user-profile-id",
    );

  test("name the user profile of the body", () =>
    expect(profileOf('"prof_\\u0031 a"')).toBe("prof_1 a"));

  test.each([
    ["empty", '""'],
    ["null", "null"],
    ["a number", "5"],
    ["a list", '["p"]'],
    ["beginning with a blank", '" p"'],
    ["ending with a blank", '"p "'],
    ["two headers", '"a\\r\\nx-api-key: b"'],
    ["holding a NUL", '"a\\u0000"'],
    ["not ASCII", '"é"'],
    ["longer than any id", `"${"p".repeat(513)}"`],
  ])("name no user profile that is %s", (_, json) => expect(profileOf(json)).toBeNull());
});

describe("a body", () => {
  test("in which nothing has to change is the client's own bytes, not copied", () => {
    const outbound = outboundCall({ ...call, stream: true, tags: {} });
    expect(cloudBody(outbound, nothingOmitted, unchanged)).toBe(outbound.call.body);
    expect(cloudBody(outbound, nothingOmitted, modelChange(outbound))).toBe(outbound.call.body);
  });

  test("goes without user_profile_id, and keeps every other byte", () => {
    const outbound = outboundCall(
      `{ "user_profile_id": "p", "model": "m\\u0061", "n": 1.0, "big": 1e999 }`,
    );
    expect(textOf(cloudBody(outbound, nothingOmitted, unchanged))).toBe(
      `{"model":"m\\u0061", "n": 1.0, "big": 1e999 }`,
    );
  });

  test("goes without what is dropped and what is omitted, each once", () => {
    const outbound = outboundCall({ ...call, tags: { a: "b" }, effort: 1, thinking: {} });
    const omit = omitting("tags", "effort", "absent");
    expect(bodyOf(outbound, omit, { drop: ["tags", "thinking"], set: [] })).toEqual(call);
  });

  test("carries what is set in place of the client's own", () => {
    const outbound = outboundCall({ ...call, anthropic_version: "mine" });
    const set = [
      ["anthropic_version", '"v"'],
      ["model", '"other"'],
    ] as const;
    const text = textOf(cloudBody(outbound, nothingOmitted, { drop: [], set }));
    expect(text.match(/anthropic_version|"model"/g)).toHaveLength(2);
    expect(JSON.parse(text)).toEqual({ ...call, anthropic_version: "v", model: "other" });
  });

  test.each(["1", '"true"', "[]", "{}"])("says stream: true where it is %s", (json) => {
    const outbound = outboundCall(`{"model":"m","stream":${json}}`);
    expect(bodyOf(outbound, nothingOmitted, unchanged)).toEqual({ model: "m", stream: true });
  });

  test.each(["0", '""', "null", "false", "true"])("leaves a stream of %s as it is", (json) => {
    const outbound = outboundCall(`{"model":"m","stream":${json}}`);
    expect(cloudBody(outbound, nothingOmitted, unchanged)).toBe(outbound.call.body);
  });

  test("for counting leaves stream as it is", () => {
    const outbound = outboundCall(`{"model":"m","stream":1}`, {
      path: "/v1/messages/count_tokens",
    });
    expect(cloudBody(outbound, nothingOmitted, unchanged)).toBe(outbound.call.body);
  });

  test("from which stream is dropped does not get it back", () => {
    const outbound = outboundCall(`{"model":"m","stream":1}`);
    expect(bodyOf(outbound, nothingOmitted, { drop: ["stream"], set: [] })).toEqual({ model: "m" });
  });

  test("is as JSON.parse would edit it, whatever members it has in whatever order", () => {
    const members = fc.uniqueArray(
      fc.tuple(
        fc.constantFrom("tags", "user_profile_id", "anthropic_version", "thinking", "a", "b"),
        fc.jsonValue(),
      ),
      { selector: ([name]) => name },
    );
    fc.assert(
      fc.property(members, fc.nat(), fc.boolean(), (given, place, isSet) => {
        const at = place % (given.length + 1);
        const all = [...given.slice(0, at), ["model", "m"] as const, ...given.slice(at)];
        const body = `{${all.map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`).join(" ,")}}`;
        const set = isSet ? ([["anthropic_version", '"v"']] as const) : [];
        const { tags: _t, user_profile_id: _u, a: _a, ...kept } = JSON.parse(body);
        const expected = isSet ? { ...kept, anthropic_version: "v" } : kept;
        expect(bodyOf(outboundCall(body), omitting("a"), { drop: ["tags"], set })).toEqual(
          expected,
        );
      }),
    );
  });
});

describe("anthropic_version", () => {
  test.each([
    ["", '"v1"'],
    [',"anthropic_version":""', '"v1"'],
    [',"anthropic_version":null', '"v1"'],
    [',"anthropic_version":"own"', '"own"'],
    [',"anthropic_version":0', "0"],
    [',"anthropic_version":{"a":[]}', '{"a":[]}'],
  ])("of %j is %s", (member, expected) =>
    expect(anthropicVersion(outboundCall(`{"model":"m"${member}}`).call, "v1")).toBe(expected),
  );
});

test("a cloud with the Messages API gets its model id, and betas less those omitted", () => {
  const outbound = outboundCall(call, {
    upstreamModel: "opus",
    headers: { "anthropic-beta": "a, b,c" },
  });
  const omit = { betas: new Set(["b"]), fields: new Set(["max_tokens"]) };
  const { headers, body } = messagesRequest(outbound, omit, options);
  expect(headers.get("anthropic-beta")).toBe("a,c");
  expect(JSON.parse(textOf(body))).toEqual({ model: "opus", messages: call.messages });
});

describe("sending", () => {
  const api = startCloudApi();
  afterAll(() => api.stop());
  beforeEach(() => {
    api.seen.length = 0;
    api.answer = () => Response.json({});
  });
  const request = () => ({
    url: `${api.url}/x`,
    headers: new Headers({ authorization: "of the client" }),
    body: Buffer.from("{}"),
    signal: new AbortController().signal,
  });

  test("does not follow a redirect, which would take the credential along", async () => {
    api.answer = () =>
      new Response(null, { status: 307, headers: { location: `${api.url}/else` } });
    const answer = await postAs(fetchHere, fixedProof({ authorization: "Bearer a" }), request());
    expect(answer.status).toBe(307);
    expect(api.seen.map(({ path }) => path)).toEqual(["POST /x"]);
  });

  test("stops when the signal aborts", async () => {
    const aborted = { ...request(), signal: AbortSignal.abort() };
    expect((await rejection(post(fetchHere, aborted))).name).toBe("AbortError");
    expect(api.seen).toEqual([]);
  });

  test("puts the proof in place of what was there", async () => {
    await postAs(fetchHere, fixedProof({ authorization: "Bearer a", "x-more": "b" }), request());
    expect(api.seen[0]?.headers.get("authorization")).toBe("Bearer a");
    expect(api.seen[0]?.headers.get("x-more")).toBe("b");
  });

  test.each([
    [401, 2],
    [403, 1],
    [200, 1],
    [429, 1],
  ])("answered with %d has had %d proofs after the next request", async (status, expected) => {
    let obtained = 0;
    const credential = createCredential<Proof>(
      async () => ({ value: { authorization: `Bearer ${++obtained}` }, expiresAtMs: null }),
      { owner: "test", now: Date.now },
    );
    api.answer = () => new Response("", { status });
    await postAs(fetchHere, credential, request());
    await postAs(fetchHere, credential, request());
    expect(api.seen.map(({ headers }) => headers.get("authorization")).at(-1)).toBe(
      `Bearer ${expected}`,
    );
  });
});
