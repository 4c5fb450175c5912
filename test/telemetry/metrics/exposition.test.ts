// The text as a whole. The reader that the other tests rely on is shown here to refuse what is wrong.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { finishedRequest } from "../requests/finished-requests.ts";
import { readExposition } from "./exposition.ts";
import { metricsScene } from "./scene.ts";

test("everything that is measured is in it, each with its help and its type", async () => {
  const { finished, audited, storeObserved, observe, clock, read } = metricsScene();
  finished(finishedRequest());
  audited({ evt: "session.mint", result: "success", ttl_hours: 1, sub: "ada", ...request });
  audited({
    evt: "device.deny",
    result: "denied",
    requested_from: "",
    requested_at: "",
    ...request,
  });
  storeObserved("kv.get", 0.001, true);
  clock.pass(250);
  observe({
    openRequests: () => 0,
    openStreams: () => 0,
    setAside: () => [],
    queues: () => [],
    identity: () => ({ corrected: 0, unreadable: 0, dropped: 0 }),
  });
  expect((await read()).types).toEqual({
    claude_gateway_requests_total: "counter",
    claude_gateway_spend_cents_total: "counter",
    claude_gateway_tokens_total: "counter",
    claude_gateway_sign_ins_total: "counter",
    claude_gateway_refusals_total: "counter",
    claude_gateway_added_latency_seconds: "histogram",
    claude_gateway_time_to_first_byte_seconds: "histogram",
    claude_gateway_request_duration_seconds: "histogram",
    claude_gateway_store_duration_seconds: "histogram",
    claude_gateway_event_loop_lag_seconds: "histogram",
    claude_gateway_open_requests: "gauge",
    claude_gateway_open_streams: "gauge",
    claude_gateway_telemetry_identity_total: "counter",
    claude_gateway_build_info: "gauge",
    process_resident_memory_bytes: "gauge",
    process_start_time_seconds: "gauge",
  });
});

const request = { request_id: "r", client_ip: "192.0.2.1" };

test("it has no lines of other formats, and no labels of scope or resource", async () => {
  const { finished, text } = metricsScene();
  finished(finishedRequest());
  const comments = (await text()).split("\n").filter((line) => line.startsWith("#"));
  expect(comments.filter((line) => !/^# (HELP|TYPE) /.test(line))).toEqual([]);
  expect(await text()).not.toMatch(/otel_|target_info|service_name/);
});

test("the build and the process are told", async () => {
  const { read } = metricsScene();
  const { value } = await read();
  expect(value("claude_gateway_build_info", { version: "1.2.3", bun: Bun.version })).toBe(1);
  expect(value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  const startedSeconds = Date.now() / 1000 - process.uptime();
  expect(value("process_start_time_seconds")).toBeCloseTo(startedSeconds, -1);
});

test("names that were configured come back as they are, whatever is in them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (upstream) => {
      const { observe, read } = metricsScene();
      observe({ setAside: () => [{ upstream, upstreamModel: "m", path: "/v1/messages" }] });
      const labels = { upstream, upstream_model: "m", path: "/v1/messages" };
      expect((await read()).value("claude_gateway_upstream_set_aside", labels)).toBe(1);
    }),
    { numRuns: 50 },
  );
});

test("those who ask while it is collected get the same", async () => {
  const { text, observe } = metricsScene();
  let collections = 0;
  observe({ openRequests: () => (collections += 1) });
  const [first, second] = await Promise.all([text(), text()]);
  expect(first).toBe(second);
  expect(collections).toBe(1);
  await text();
  expect(collections).toBe(2);
});

test("without `metrics:` there is no text, and nothing that collects it", async () => {
  let collections = 0;
  const { text, observe, clock, close } = metricsScene({ config: { models: [] } });
  observe({ openRequests: () => (collections += 1) });
  expect(text()).rejects.toThrow("metrics: is not configured");
  clock.pass(60_000);
  await close(0);
  expect(collections).toBe(0);
});

describe("the strict reader refuses", () => {
  const good = '# HELP a_total b\n# TYPE a_total counter\na_total{c="d"} 1\n';
  const histogram = (...lines: string[]) =>
    ["# HELP a b", "# TYPE a histogram", ...lines, ""].join("\n");

  test("nothing of what is right", () => {
    expect(readExposition(good).value("a_total", { c: "d" })).toBe(1);
    const text = histogram("a_count 1", "a_sum 1", 'a_bucket{le="1"} 1', 'a_bucket{le="+Inf"} 1');
    expect(readExposition(text).value("a_count")).toBe(1);
  });
  test.each([
    ["a text without an end", good.trimEnd()],
    ["a series that is there twice", `${good}a_total{c="d"} 2\n`],
    ["a metric that is there twice", good + good],
    ["a sample of another metric", `${good}b 2\n`],
    ["a sample without a type", "a 1\n"],
    ["a type without help", "# TYPE a gauge\na 1\n"],
    ["a counter that is not called one", good.replaceAll("a_total", "a")],
    ["a value that is no number", good.replace(" 1\n", " x\n")],
    ["a label that is not closed", good.replace('"d"', '"d')],
    ["a quote in a label", good.replace("d", 'd"')],
    ["an unknown escape", good.replace("d", "\\d")],
    ["a label that is there twice", good.replace('c="d"', 'c="d",c="e"')],
    ["buckets without +Inf", histogram("a_count 1", "a_sum 1", 'a_bucket{le="1"} 1')],
    [
      "buckets that shrink",
      histogram("a_count 1", "a_sum 1", 'a_bucket{le="1"} 2', 'a_bucket{le="+Inf"} 1'),
    ],
    [
      "buckets out of order",
      histogram(
        "a_count 1",
        "a_sum 1",
        'a_bucket{le="2"} 0',
        'a_bucket{le="1"} 0',
        'a_bucket{le="+Inf"} 1',
      ),
    ],
    ["a bucket +Inf that misses some", histogram("a_count 2", "a_sum 1", 'a_bucket{le="+Inf"} 1')],
    ["a histogram without a sum", histogram("a_count 1", 'a_bucket{le="+Inf"} 1')],
  ])("%s", (_, text) => {
    expect(() => readExposition(text)).toThrow();
  });
});
