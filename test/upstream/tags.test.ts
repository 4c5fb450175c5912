// Request tags: which group a call says it is for, and that no upstream sees them where they are the gateway's.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Principal } from "../../src/session.ts";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import { billingGroupOf, withoutTags } from "../../src/upstream/request/tags.ts";
import type { OutboundCall, Upstream } from "../../src/upstream/upstream.ts";
import { createUpstreams } from "../../src/upstream/upstreams.ts";
import { edited, load } from "../config/samples.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";

const requestTags = "request-tags-2026-08-21";
const ada: Principal = { sub: "ada", email: undefined, name: undefined, groups: ["eng", "ops"] };

describe("the group that a call is for", () => {
  const groupIn = (tags: unknown, name: string | undefined = "team", person: Principal = ada) => {
    const body = { model: "m", ...(tags !== undefined && { tags }) };
    return billingGroupOf(readMessagesCall(Buffer.from(JSON.stringify(body))), name, person);
  };

  test.each(["eng", "ops"])("is one that the bearer lists: %s", (group) =>
    expect(groupIn({ other: "x", team: group })).toEqual({ group }),
  );

  test.each<[unknown]>([
    ["hr"], ["Eng"], [" eng"], [""], ["x".repeat(1000)], [5], [null], [true], [["eng"]], [{ name: "eng" }],
  ])("is foreign when it is anything else: %j", (group) =>
    expect(groupIn({ team: group })).toBe("foreign"),
  ); // prettier-ignore

  test.each<[unknown]>([
    [undefined], [{}], [{ Team: "eng" }], [{ x: { team: "eng" } }], ["eng"], [5], [null], [true], [[]], [[{ team: "eng" }]],
  ])("is none in tags that name none: %j", (tags) => expect(groupIn(tags)).toBeUndefined()); // prettier-ignore

  test("is none where no tag has been given that meaning", () => {
    const call = readMessagesCall(Buffer.from('{"model":"m","tags":{"undefined":"eng"}}'));
    expect(billingGroupOf(call, undefined, ada)).toBeUndefined();
  });

  test("is under the name that the bearer told the client, before the configured one", () => {
    const told = { ...ada, billingGroupTag: "project" };
    expect(groupIn({ team: "eng", project: "ops" }, "team", told)).toEqual({ group: "ops" });
    expect(groupIn({ team: "eng" }, "team", told)).toBeUndefined();
    const call = readMessagesCall(Buffer.from('{"model":"m","tags":{"project":"eng"}}'));
    expect(billingGroupOf(call, undefined, told)).toEqual({ group: "eng" });
  });

  test("may be under a name that every object has something under", () => {
    for (const name of ["constructor", "__proto__", "toString"]) {
      expect(groupIn({}, name)).toBeUndefined();
      const call = readMessagesCall(Buffer.from(`{"model":"m","tags":{"${name}":"eng"}}`));
      expect(billingGroupOf(call, name, ada)).toEqual({ group: "eng" });
    }
  });

  test("is not looked for in tags that are longer than any labels", () => {
    const tags = (length: number) => ({ team: "eng", x: "x".repeat(length) });
    const room = 64 * 1024 - JSON.stringify(tags(0)).length;
    expect(groupIn(tags(room))).toEqual({ group: "eng" });
    expect(groupIn(tags(room + 1))).toBe("foreign");
  });
});

describe("an upstream behind which tags stay", () => {
  const seen: OutboundCall[] = [];
  beforeEach(() => seen.splice(0));
  const never = new AbortController().signal;
  const answer = {
    response: new Response(),
    requestId: null,
    cloudRequestId: null,
    cause: "",
    retryAfterMs: null,
  };
  const upstream: Upstream = {
    name: "u",
    provider: "anthropic",
    ttfbMs: { streamed: 1, whole: 1 },
    send: async (outbound) => {
      seen.push(outbound);
      return answer;
    },
  }; // prettier-ignore

  /** The call as the upstream saw it. */
  async function sent(outbound: OutboundCall, configured: string | undefined = "team") {
    await withoutTags(upstream, configured).send(outbound, never);
    return seen.at(-1) ?? expect.unreachable();
  }
  const beta = (value: string) => ({ headers: { "anthropic-beta": value, "x-other": "1" } });

  test("sees a call without tags as the very same", async () => {
    for (const outbound of [
      outboundCall({ model: "m", metadata: { tags: { team: "eng" } } }),
      outboundCall({ model: "m" }, beta(`a, b ,a,x-${requestTags},${requestTags.toUpperCase()}`)),
    ]) {
      expect(await sent(outbound)).toBe(outbound);
    }
  });

  test.each<[string, string]>([
    ['{"model":"m","tags":{"team":"eng"},"x":1.0}', '{"model":"m","x":1.0}'],
    ['{"tags":{"team":"eng"} ,\n "model":"m"}', '{"model":"m"}'],
    ['{ "model":"m" , "t\\u0061gs":null }', '{ "model":"m"  }'],
    ['{"x":{"tags":1},"tags":[],"model":"m","y":1e400}', '{"x":{"tags":1},"model":"m","y":1e400}'],
  ])("sees %j without them, and no other byte changed", async (written, left) => {
    const outbound = outboundCall(written);
    const { call, ...others } = await sent(outbound);
    expect(Buffer.from(call.body).toString()).toBe(left);
    // What is known of the body is true of the body that is left.
    expect(call).toEqual({ ...readMessagesCall(Buffer.from(left)), body: call.body });
    expect(others).toEqual({ ...outbound, call: undefined, headers: outbound.headers } as never);
    expect(Buffer.from(outbound.call.body).toString()).toBe(written);
  });

  test.each<[string, string | null]>([
    [requestTags, null],
    [`${requestTags},a-1`, "a-1"],
    [`a, ${requestTags} ,b,${requestTags}`, "a,b"],
  ])("sees the betas %j without theirs, with or without tags", async (value, left) => {
    for (const body of [{ model: "m" }, { model: "m", tags: {} }]) {
      const outbound = outboundCall(body, beta(value));
      const { headers } = await sent(outbound);
      expect([headers.get("anthropic-beta"), headers.get("x-other")]).toEqual([left, "1"]);
      // The request is another upstream's to read, or the log's.
      expect(outbound.headers.get("anthropic-beta")).toBe(value);
    }
  });

  test("sees them where nobody gave them a meaning, unless the bearer did", async () => {
    const tagged = { model: "m", tags: { team: "eng" } };
    const outbound = outboundCall(tagged, beta(requestTags));
    await withoutTags(upstream, undefined).send(outbound, never);
    expect(seen.at(-1)).toBe(outbound);
    for (const billingGroupTag of ["team", "other"]) {
      const told = outboundCall(tagged, { ...beta(requestTags), principal: { ...ada, billingGroupTag } });
      await withoutTags(upstream, undefined).send(told, never);
      expect(seen.at(-1)?.call.fields.tags).toBeUndefined();
      expect(seen.at(-1)?.headers.has("anthropic-beta")).toBe(false);
    }
  }); // prettier-ignore

  test("counts input without them, if it counts at all", async () => {
    expect("countInput" in withoutTags(upstream, "team")).toBe(false);
    const counting: Upstream = {
      ...upstream,
      countInput: async (outbound) => {
        seen.push(outbound);
        return 7;
      },
    };
    const tagged = outboundCall({ model: "m", tags: {} });
    expect(await withoutTags(counting, "team").countInput?.(tagged, never)).toBe(7);
    expect(seen.at(-1)?.call.fields.tags).toBeUndefined();
  });
});

describe("with admin.billing_group_tag", () => {
  const api = startCloudApi();
  afterAll(() => api.stop());
  beforeEach(() => api.seen.splice(0));

  const sentWith = async (admin: object | undefined, path: OutboundCall["path"]) => {
    const { config } = load(
      edited((c) => {
        c.upstreams = [{ provider: "anthropic", base_url: api.url, auth: { api_key: "k" } }];
        c.admin = admin;
      }),
      { env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" } },
    );
    const [upstream] = await createUpstreams(config, {
      userAgent: "gw/1",
      now: Date.now,
      fetch: fetchHere,
      providerFetch: fetchHere,
    });
    await upstream?.send(
      outboundCall(
        { model: "m", tags: { team: "eng" } },
        { path, headers: { "anthropic-beta": `a,${requestTags}` } },
      ),
      AbortSignal.timeout(5_000),
    );
    const { body, headers } = api.seen.at(-1) ?? expect.unreachable();
    return [body, headers.get("anthropic-beta")];
  };

  test.each(["/v1/messages", "/v1/messages/count_tokens"] as const)(
    "tags stay behind on %s, and without it they go to an upstream that takes them",
    async (path) => {
      const tagged = '{"model":"m","tags":{"team":"eng"}}';
      expect(await sentWith({ billing_group_tag: "team" }, path)).toEqual(['{"model":"m"}', "a"]);
      expect(await sentWith({}, path)).toEqual([tagged, `a,${requestTags}`]);
      expect(await sentWith(undefined, path)).toEqual([tagged, `a,${requestTags}`]);
    },
  );
});
