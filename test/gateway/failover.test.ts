// What a running gateway does when upstreams fail: with `failover:` it remembers, without it every request begins anew. Who is
// asked is counted at the upstreams; each model is known by some of them only, and what is remembered of one says nothing of
// another, so that every test has a model of its own.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { ask, refusalIn } from "../support/calls.ts";
import { cloudAnswer } from "../support/clouds.ts";
import { freePort } from "../support/gateway.ts";
import { type BentUpstream, openScene, startUpstream } from "../support/scene.ts";

const first = startUpstream();
const second = startUpstream();
const third = startUpstream();
const all = [first, second, third];

const anthropic = ({ url }: Pick<BentUpstream, "url">, more: object) => ({
  provider: "anthropic",
  base_url: url,
  auth: { api_key: "k" },
  ...more,
});
const known = (id: string, ...names: string[]) => ({
  id,
  upstream_model: Object.fromEntries(names.map((name) => [name, id])),
});
const aws = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };

const closedPort = await freePort();

const [remembering, recovering, forgetful] = await Promise.all([
  openScene((config) => {
    config.failover = { unhealthy_after: 2, set_aside_seconds: 60 };
    config.timeouts = { upstream_ttfb_ms: 300 };
    config.upstreams = [
      anthropic(first, { name: "first", priority: 0, weight: 3 }),
      anthropic(second, { name: "second", priority: 0, weight: 1 }),
      anthropic(third, { name: "third", priority: 1 }),
    ];
    config.models = [
      ...["failing", "counting", "busy", "refusing", "down", "hanging"].map((id) =>
        known(id, "first", "third"),
      ),
      known("shared", "first", "second", "third"),
    ];
  }),
  openScene((config) => {
    config.failover = { unhealthy_after: 2, set_aside_seconds: 1 };
    config.upstreams = [anthropic(first, { name: "first" }), anthropic(second, { name: "second" })];
    config.models = [known("probed", "first", "second"), known("cached", "first", "second")];
  }),
  openScene((config) => {
    config.upstreams = [
      { provider: "mantle", base_url: first.url, region: "us-east-1", auth: aws, models: ["*"] },
      { provider: "bedrock", base_url: second.url, region: "us-east-1", auth: aws },
      anthropic({ url: `http://127.0.0.1:${closedPort}` }, { name: "gone", models: ["lost"] }),
      {
        provider: "vertex",
        base_url: third.url,
        region: "global",
        project_id: "p",
        auth: { access_token: "ya29.token" },
      },
    ];
    config.models = [known("on-two", "bedrock", "vertex"), known("lost", "gone", "vertex")];
  }),
]);
afterAll(async () => {
  const scenes = [remembering, recovering, forgetful].map((scene) => scene.stop());
  await Promise.all([...scenes, ...all.map((upstream) => upstream.stop())]);
});
beforeEach(() => {
  for (const upstream of all) {
    upstream.seen.length = 0;
    upstream.answer = (seen) => cloudAnswer(seen, "answers");
  }
});

const failing =
  (status: number, headers: Record<string, string> = {}) =>
  () =>
    Response.json({ message: "no" }, { status, headers });
const counts = () => all.map(({ seen }) => seen.length);
const statusesOf = async (count: number, send: () => Promise<Response>) => {
  const statuses: number[] = [];
  for (let sent = 0; sent < count; sent++) statuses.push((await send()).status);
  return statuses;
};

describe("with failover:", () => {
  const scene = remembering;

  test("after two failures in a row requests go straight to the next upstream", async () => {
    first.answer = failing(500);
    expect(await statusesOf(5, () => ask(scene, "failing"))).toEqual([200, 200, 200, 200, 200]);
    expect(counts()).toEqual([2, 0, 5]);
    await scene.gateway.waitForLog(
      /warn upstream set aside for \d+\.\d s: first \(failing\) on \/v1\/messages: 2 failures in a row, the last: 500/,
    );
  });

  test("failing to count says nothing of inference", async () => {
    first.answer = (seen) =>
      seen.url.endsWith("/count_tokens") ? failing(500)() : cloudAnswer(seen, "answers");
    const path = "/v1/messages/count_tokens" as const;
    expect(await statusesOf(3, () => ask(scene, "counting", { path }))).toEqual([200, 200, 200]);
    expect(counts()).toEqual([2, 0, 3]);
    await ask(scene, "counting");
    expect(counts()).toEqual([3, 0, 3]);
  });

  test("a 429 with a retry-after sets an upstream aside at once", async () => {
    first.answer = failing(429, { "retry-after": "30" });
    expect(await statusesOf(3, () => ask(scene, "busy"))).toEqual([200, 200, 200]);
    expect(counts()).toEqual([1, 0, 3]);
  });

  test("a 429 without one counts as one failure", async () => {
    first.answer = failing(429);
    await statusesOf(4, () => ask(scene, "refusing"));
    expect(counts()).toEqual([2, 0, 4]);
  });

  test("when everything is set aside it is tried all the same, and the first answer ends it", async () => {
    first.answer = third.answer = failing(500);
    expect(await statusesOf(3, () => ask(scene, "down"))).toEqual([502, 502, 502]);
    expect(counts()).toEqual([3, 0, 3]);
    third.answer = (seen) => cloudAnswer(seen, "answers");
    expect((await ask(scene, "down")).status).toBe(200);
    expect(counts()).toEqual([4, 0, 4]);
    // The one that answered is healthy again, and the other one waits.
    expect((await ask(scene, "down")).status).toBe(200);
    expect(counts()).toEqual([4, 0, 5]);
  });

  test("an upstream that hangs costs the first requests their time-out, and no more", async () => {
    first.answer = () => new Promise(() => undefined);
    expect(await statusesOf(5, () => ask(scene, "hanging"))).toEqual([200, 200, 200, 200, 200]);
    expect(counts()).toEqual([2, 0, 5]);
    await scene.gateway.waitForLog(/first: no answer within 300 ms/);
    await untilTrue(() => first.seen.every(({ closed }) => closed));
  });

  test("upstreams of one priority share requests by weight, and a later priority gets none", async () => {
    for (let batch = 0; batch < 20; batch++)
      await Promise.all(Array.from({ length: 10 }, () => ask(scene, "shared")));
    const [heavy = 0, light = 0, later] = counts();
    expect([heavy + light, later]).toEqual([200, 0]);
    // 150 are expected, give or take 6.
    expect(heavy).toBeGreaterThan(110);
    expect(heavy).toBeLessThan(190);
  });
});

describe("an upstream that is back", () => {
  const scene = recovering;
  /** Set aside for a second at first, give or take a tenth. */
  const setAsideMs = 1_250;

  test("is found by one request, however many come meanwhile, and is the first one again", async () => {
    first.answer = failing(503);
    await statusesOf(3, () => ask(scene, "probed"));
    expect(counts()).toEqual([2, 3, 0]);
    await Bun.sleep(setAsideMs);

    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    first.answer = async (seen) => {
      await held;
      return cloudAnswer(seen, "answers");
    };
    const probe = ask(scene, "probed");
    await untilTrue(() => first.seen.length === 3);
    await Promise.all(Array.from({ length: 5 }, () => ask(scene, "probed")));
    expect(counts()).toEqual([3, 8, 0]);

    release();
    expect((await probe).status).toBe(200);
    await statusesOf(2, () => ask(scene, "probed"));
    expect(counts()).toEqual([5, 8, 0]);
    await scene.gateway.waitForLog(/info upstream healthy again: first \(probed\)/);
  });

  test("gets new sessions, while one that had to move stays where its prompt cache is now", async () => {
    const session = (id: string) =>
      ask(scene, "cached", { headers: { "x-claude-code-session-id": id } });
    first.answer = failing(503);
    await session("one");
    await ask(scene, "cached");
    expect(counts()).toEqual([2, 2, 0]);
    await Bun.sleep(setAsideMs);

    first.answer = (seen) => cloudAnswer(seen, "answers");
    await session("one");
    expect(counts()).toEqual([2, 3, 0]);
    await session("two");
    expect(counts()).toEqual([3, 3, 0]);
    await session("one");
    await session("two");
    expect(counts()).toEqual([4, 4, 0]);
    // Another person's session of the same name is another one.
    const bearer = await scene.bearer({ sub: "bob", email: "bob@example.com" });
    await ask(scene, "cached", { bearer, headers: { "x-claude-code-session-id": "one" } });
    expect(counts()).toEqual([5, 4, 0]);
  });
});

describe("without failover:", () => {
  const scene = forgetful;
  const [mantle, bedrock, vertex] = [first, second, third];

  test("every request begins with the first upstream, sessions included", async () => {
    bedrock.answer = failing(429, { "retry-after": "30" });
    const headers = { "x-claude-code-session-id": "one" };
    const statuses = await statusesOf(4, () => ask(scene, "on-two", { headers }));
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(counts()).toEqual([0, 4, 4]);
  });

  test("of refusals a 429 tells most, in words that every provider shares", async () => {
    bedrock.answer = failing(429, { "retry-after": "30" });
    vertex.answer = failing(500);
    const response = await ask(scene, "on-two");
    expect(response.headers.has("retry-after")).toBe(false);
    expect(await refusalIn(response)).toEqual({
      status: 429,
      type: "rate_limit_error",
      message: "upstream rate limit exceeded",
    });
    const requestId = response.headers.get("x-request-id");
    await scene.gateway.audited("inference", {
      request_id: requestId,
      upstream: "bedrock",
      status: 429,
    });
  });

  test.each([
    { statuses: [401, 404], told: "401 authentication_error" },
    { statuses: [404, 501], told: "404 not_found_error" },
    { statuses: [403, 401], told: "401 authentication_error" },
    { statuses: [500, 501], told: "501 not_supported" },
    { statuses: [500, 529], told: "502 api_error" },
  ])("$statuses end as $told", async ({ statuses: [one = 0, other = 0], told }) => {
    bedrock.answer = failing(one);
    vertex.answer = failing(other);
    const { status, type } = await refusalIn(await ask(scene, "on-two"));
    expect(`${status} ${type}`).toBe(told);
    expect(counts()).toEqual([0, 1, 1]);
  });

  test("what is the call's own fault is not tried elsewhere", async () => {
    bedrock.answer = failing(400);
    expect((await ask(scene, "on-two")).status).toBe(400);
    expect(counts()).toEqual([0, 1, 0]);
  });

  test("an upstream without the model is passed over without a round trip, and counts as attempted", async () => {
    expect((await ask(scene, "claude-sonnet-4-6")).status).toBe(200);
    expect(counts()).toEqual([0, 1, 0]);
    bedrock.answer = vertex.answer = failing(500);
    const { message } = await refusalIn(await ask(scene, "claude-sonnet-4-6"));
    expect(message).toBe("all upstreams failed (4 attempted)");
    expect(mantle.seen).toEqual([]);
  });

  test("where Bedrock cannot count the next upstream does, and Bedrock is not asked again", async () => {
    bedrock.answer = failing(403);
    const count = () => ask(scene, "on-two", { path: "/v1/messages/count_tokens" });
    expect(await (await count()).json()).toEqual({ input_tokens: 17 });
    expect(await (await count()).json()).toEqual({ input_tokens: 17 });
    expect(counts()).toEqual([0, 1, 2]);
  });

  test("where nobody listens the next upstream is asked", async () => {
    expect((await ask(scene, "lost")).status).toBe(200);
    expect(counts()).toEqual([0, 0, 1]);
    await scene.gateway.waitForLog(
      /upstream failed, trying next request_id=\S+: gone: ECONNREFUSED/,
    );
  });

  test("when the client hangs up nobody else is asked on its behalf", async () => {
    bedrock.answer = () => new Promise(() => undefined);
    const gone = new AbortController();
    const hungUp = ask(scene, "on-two", { signal: gone.signal }).catch(() => "hung up");
    await untilTrue(() => bedrock.seen.length === 1);
    gone.abort();
    expect(await hungUp).toBe("hung up");
    await untilTrue(() => bedrock.seen.every(({ closed }) => closed));
    await scene.gateway.audited("inference", { model: "on-two", upstream: null, status: 499 });
    expect(counts()).toEqual([0, 1, 0]);
  });
});

/** Waits, at most two seconds. */
async function untilTrue(holds: () => boolean): Promise<void> {
  for (let waits = 0; waits < 400 && !holds(); waits++) await Bun.sleep(5);
  expect(holds()).toBe(true);
}
