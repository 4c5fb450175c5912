// Collectors that hang, or are away, and gateways that stop: what arrives all the same, and whom nobody waits for.
import { afterAll, describe, expect, test } from "bun:test";
import { type RecordCollector, startRecordCollector } from "../support/collector-of-records.ts";
import { freePort } from "../support/gateway.ts";
import { fedStream, readerOf, started, wrote } from "../support/metered-answers.ts";
import { helloCall, openScene, type Scene } from "../support/scene.ts";
import { untilTrue } from "../support/until-true.ts";

const ownTelemetry = { requests: true, traces: true, gateway_metrics: true };
const awayUrl = `http://127.0.0.1:${await freePort()}`;

const takes = startRecordCollector();
const hangs = startRecordCollector();
const slow = startRecordCollector();
hangs.answer = () => new Promise<Response>(() => undefined);
slow.answer = async () => {
  await Bun.sleep(300);
  return Response.json({});
};
const collectors: RecordCollector[] = [takes, hangs, slow];
const opened: Scene[] = [];

async function sceneWith(urls: string[], env: Record<string, string> = {}): Promise<Scene> {
  const scene = await openScene((config) => {
    config.telemetry = {
      forward_to: urls.map((url) => ({
        ...ownTelemetry,
        url: `${url}/key-in-a-path`,
        headers: { authorization: "Bearer key-in-a-header" },
      })),
    };
  }, env);
  opened.push(scene);
  return scene;
}
const [stopping, cutting, troubled] = await Promise.all([
  sceneWith([slow.url]),
  sceneWith([takes.url], { CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS: "100" }),
  sceneWith([hangs.url, awayUrl, takes.url]),
]);
afterAll(() =>
  Promise.all([...opened, ...collectors].map((each) => each.stop() as Promise<unknown>)),
);

/** Sends a call under this id, and reads its answer. */
async function send(scene: Scene, id: string): Promise<void> {
  const response = await scene.message(helloCall, { headers: { "x-client-request-id": id } });
  expect(response.status).toBe(200);
  await response.text();
}
const idsOf = (collector: RecordCollector) =>
  collector.records().map(({ attributes }) => attributes["request_id"]);
const answeredIn = (collector: RecordCollector) =>
  collector
    .metrics()
    .get("claude_gateway_requests")
    ?.map(({ value }) => value);

describe.concurrent("a gateway that is told to stop", () => {
  test("sends the records, spans and metrics of the last requests first", async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `last-${index}`);
    for (const id of ids) await send(stopping, id);
    expect(slow.received).toEqual([]);
    expect(await stopping.gateway.stop("SIGTERM")).toBe(0);
    expect(idsOf(slow)).toEqual(ids);
    expect(slow.spans()).toHaveLength(2 * ids.length);
    expect(answeredIn(slow)).toEqual([ids.length]);
    expect(stopping.gateway.stderr()).not.toContain("not sent before the stop");
  });

  test("tells of the streams that it had to cut", async () => {
    const stream = fedStream();
    cutting.upstream.answer = () => stream.response;
    stream.send(started(10), wrote("x".repeat(28)));
    const headers = { "x-client-request-id": "cut" };
    const response = await cutting.message({ ...helloCall, stream: true }, { headers });
    await readerOf(response).until("xxx");
    expect(await cutting.gateway.stop("SIGTERM")).toBe(0);
    expect(cutting.gateway.stderr()).toContain("cut 1 request(s) still open");
    const { attributes } = await takes.recordOf("cut");
    expect(attributes).toMatchObject({
      "claude_gateway.ending": "abandoned",
      "gen_ai.usage.input_tokens": 10,
      "gen_ai.usage.output_tokens": 7,
    });
    expect((await takes.spansOf("cut")).length).toBe(2);
  });
});

describe("while one collector hangs and another is away,", () => {
  /** Of twenty requests together, in milliseconds: half of what one send to a collector that hangs may take. */
  const requestsMsMax = 5_000;

  test("inference goes on as ever, and a third collector gets what there is", async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `first-${index}`);
    for (const id of ids.slice(0, 20)) await send(troubled, id);
    // From here on one send hangs, and others wait behind it.
    await untilTrue(() => hangs.received.length > 0, 5_000);
    const beganMs = performance.now();
    for (const id of ids.slice(20)) await send(troubled, id);
    expect(performance.now() - beganMs).toBeLessThan(requestsMsMax);
    for (const id of ids) await takes.recordOf(id);
    await takes.spansOf("first-39");
  });

  test("the gateway stops in time, and the third collector has the last of everything", async () => {
    await send(troubled, "the-last");
    const beganMs = performance.now();
    expect(await troubled.gateway.stop("SIGTERM")).toBe(0);
    const seconds = (performance.now() - beganMs) / 1_000;
    expect(seconds).toBeGreaterThan(2);
    expect(seconds).toBeLessThan(6);
    expect(idsOf(takes)).toContain("the-last");
    expect((await takes.spansOf("the-last")).length).toBe(2);
    expect(answeredIn(takes)).toEqual([41]);
  });

  test("the log says what is lost, and says it of collectors by their origin", () => {
    const log = troubled.gateway.stderr();
    for (const [url, item] of [
      [hangs.url, "record"],
      [hangs.url, "trace"],
    ])
      expect(log).toMatch(
        new RegExp(`warn telemetry export: ${url}: \\d+ ${item}\\(s\\) not sent before the stop\n`),
      );
    expect(log).toMatch(new RegExp(`warn telemetry export: ${awayUrl}: .*record`));
    for (const word of [takes.url, "key-in-a-path", "key-in-a-header"])
      expect(log).not.toContain(word);
  });
});
