// The gateway's own records where spend is not counted, which say what was used and what it costs all the same; with two upstreams;
// and of a request that the gateway has no room for.
import { afterAll, describe, expect, test } from "bun:test";
import { byPrompt } from "../support/by-prompt.ts";
import { startRecordCollector } from "../support/collector-of-records.ts";
import { readerOf, stopped, used, wrote } from "../support/metered-answers.ts";
import {
  always,
  asStream,
  expectOneRecordEach,
  from,
  givenUp,
  recordsTo,
  send,
  sent,
  streamFor,
  wholeAnswer,
} from "../support/recorded-calls.ts";
import { openScene, startUpstream } from "../support/scene.ts";
import { untilTrue } from "../support/until-true.ts";

const collector = startRecordCollector();
const collectorOfSmall = startRecordCollector();
const spare = startUpstream();
const [scene, small] = await Promise.all([
  openScene((config) => {
    config.telemetry = recordsTo(collector);
    config.upstreams = [
      { ...config.upstreams[0], name: "first" },
      { ...config.upstreams[0], name: "second", base_url: spare.url },
    ];
  }),
  openScene((config) => (config.telemetry = recordsTo(collectorOfSmall)), {
    BUN_CONFIG_MAX_HTTP_REQUESTS: "4",
  }),
]);
const first = byPrompt(scene.upstream);
const second = byPrompt(spare);
afterAll(() => {
  const closing = [scene, small, spare, collector, collectorOfSmall];
  return Promise.all(closing.map((each) => each.stop() as Promise<unknown>));
});

describe.concurrent("the record of", () => {
  const recordOf = async (id: string) => (await collector.recordOf(id)).attributes;
  const failing = () => Response.json({}, { status: 503 });

  test("an answer in one piece has the cost at list prices", async () => {
    first.on("whole", () => Response.json(wholeAnswer));
    expect(await sent(scene, "whole")).toBe(200);
    // 3 and 15 dollars a million tokens, a tenth for reading from a cache and a quarter more for writing to it.
    const dollars = (100 * 3 + 3 * 15 + 2_000 * 0.3 + 50 * 3.75) / 1_000_000;
    expect(await recordOf("whole")).toMatchObject({
      ...always("whole"),
      ...from("first"),
      "gen_ai.usage.output_tokens": 3,
      "claude_gateway.cost.cents": expect.closeTo(dollars * 100, 9),
    });
  });

  test("a stream has what it used", async () => {
    const stream = streamFor("streamed", first);
    const response = await send(scene, "streamed", { fields: { stream: true } });
    stream.send(used(30), stopped);
    stream.end();
    await response.text();
    expect(await recordOf("streamed")).toMatchObject({
      ...always("streamed"),
      ...asStream,
      "gen_ai.usage.input_tokens": 200,
      "gen_ai.usage.output_tokens": 30,
      "claude_gateway.cost.cents": expect.closeTo(((200 * 3 + 30 * 15) / 1_000_000) * 100, 9),
    });
  });

  test("an answer after a failover names who answered, and counts the attempts", async () => {
    first.on("failover", failing);
    second.on("failover", () => Response.json(wholeAnswer, { headers: { "request-id": "req_2" } }));
    expect(await sent(scene, "failover")).toBe(200);
    expect(await recordOf("failover")).toMatchObject({
      ...always("failover"),
      ...from("second"),
      "claude_gateway.upstream.request_id": "req_2",
      "claude_gateway.attempts": 2,
    });
  });

  test("a request that every upstream fails has 502, and names none", async () => {
    for (const on of [first, second]) on.on("all-fail", failing);
    expect(await sent(scene, "all-fail")).toBe(502);
    expect(await recordOf("all-fail")).toEqual({
      ...always("all-fail"),
      "http.response.status_code": 502,
      "claude_gateway.attempts": 2,
      "error.type": "502",
    });
  });

  test("a call that is given up while the second upstream is asked counts both attempts", async () => {
    first.on("late", failing);
    second.on("late", () => new Promise(() => undefined));
    await givenUp(scene, "late", () => second.seen("late").length === 1);
    expect(await recordOf("late")).toEqual({
      ...always("late"),
      "http.response.status_code": 499,
      "claude_gateway.ending": "abandoned",
      "claude_gateway.attempts": 2,
      "error.type": "abandoned",
    });
  });

  test("a stream that the client leaves is abandoned, with what was used until then", async () => {
    const stream = streamFor("left", first);
    const hangUp = new AbortController();
    const fields = { stream: true };
    const response = await send(scene, "left", { fields, signal: hangUp.signal });
    stream.send(wrote("x".repeat(28)));
    await readerOf(response).until("xxx");
    hangUp.abort();
    expect(await recordOf("left")).toMatchObject({
      ...always("left"),
      "gen_ai.usage.input_tokens": 200,
      "gen_ai.usage.output_tokens": 7,
      "claude_gateway.usage.estimated": true,
      "claude_gateway.ending": "abandoned",
      "error.type": "abandoned",
    });
  });
});

test("a request beyond what the gateway holds open has 529, and those that are open one each", async () => {
  const opened = ["one", "two", "three", "four"];
  const { promise: answered, resolve: go } = Promise.withResolvers<void>();
  const upstream = byPrompt(small.upstream);
  for (const id of opened) upstream.on(id, () => answered.then(() => Response.json(wholeAnswer)));
  const calls = opened.map((id) => sent(small, id));
  await untilTrue(() => small.upstream.seen.length === opened.length);
  expect(await sent(small, "one-too-many")).toBe(529);
  go();
  expect(await Promise.all(calls)).toEqual([200, 200, 200, 200]);
  const { attributes, severity } = await collectorOfSmall.recordOf("one-too-many");
  const { "gen_ai.request.model": _, ...known } = always("one-too-many");
  expect(attributes).toEqual({
    ...known,
    "http.response.status_code": 529,
    "claude_gateway.attempts": 0,
    "error.type": "529",
  });
  expect(severity).toBe("WARN");
});

test("never are there two records of a request, and never none", () =>
  expectOneRecordEach(scene, { on: first, collector }));
