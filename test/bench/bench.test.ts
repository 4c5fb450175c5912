// The parts of the benchmark that could lie without anyone noticing: what is sent, what is counted, what is printed.
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createBedrockEventReader } from "../../src/upstream/aws/bedrock-events.ts";
import { readAll } from "../support/frames.ts";
import { messagesAnswers } from "./answers.ts";
import { comparisonNames } from "./comparisons.ts";
import { readOptions } from "./options.ts";
import { cpuMicroseconds, keep, memoryBytes, run, endAll } from "./processes.ts";
import { median, row, table } from "./report.ts";
import { conversationBody, documentBody, requestHeaders, streamBodyEnd } from "./requests.ts";
import { runStreams } from "./stream-client.ts";

afterAll(endAll);

const headers = requestHeaders("bearer");

/** Uses 300 ms of CPU, most of it in system calls, and says when it is done. */
const busyFor300Ms =
  "const used = () => process.cpuUsage().user + process.cpuUsage().system; " +
  'while (used() < 300_000) require("fs").readFileSync("/proc/self/smaps"); console.log("done")';

test("a conversation has the size asked for, is JSON, and is the same every time", () => {
  for (const bytes of [1_024, 90 * 1_024, 500 * 1_024]) {
    const body = conversationBody(bytes, { stream: false });
    expect(Buffer.byteLength(body)).toBe(bytes);
    expect(JSON.parse(body)).toMatchObject({ model: "claude-sonnet-4-6", max_tokens: 32_000 });
    expect(conversationBody(bytes, { stream: false })).toBe(body);
  }
  const document = documentBody(500 * 1_024);
  expect(Buffer.byteLength(document)).toBe(500 * 1_024);
  expect(JSON.parse(document)).toHaveProperty("model", "claude-sonnet-4-6");
});

test("a long conversation alternates its turns and is full of escapes", () => {
  const body = conversationBody(90 * 1_024, { stream: false });
  const { messages }: { messages: Array<{ role: string }> } = JSON.parse(body);
  expect(messages.length).toBeGreaterThan(20);
  expect(
    messages.every(({ role }, index) => role === (index % 2 === 0 ? "user" : "assistant")),
  ).toBe(true);
  expect(body.split("\\").length).toBeGreaterThan(1_000);
});

test("only the body of a stream ends as the upstream expects of one", () => {
  expect(conversationBody(1_024, { stream: true }).endsWith(streamBodyEnd)).toBe(true);
  expect(conversationBody(1_024, { stream: false }).endsWith(streamBodyEnd)).toBe(false);
});

test("the stream client sees every event and the end of every stream", async () => {
  const port = await startUpstream({ events: 20, gapMs: 10 });
  const body = conversationBody(1_024, { stream: true });
  const job = { port, streams: 50, events: 20, openWithinMs: 50, headers, body, deadlineMs: 5_000 };
  const result = await runStreams(job);
  expect(result).toMatchObject({ done: 50, failed: 0, events: 1_000 });
  expect(result.wallMs).toBeGreaterThan(190);
  expect(result.firstByteMs.p99).toBeLessThan(result.wallMs);
});

test("streams that end early, are refused or never end are counted as failed", async () => {
  const body = conversationBody(1_024, { stream: true });
  const job = { streams: 3, openWithinMs: 1, headers, body, deadlineMs: 300 };
  const port = await startUpstream({ events: 5, gapMs: 10 });
  expect(await runStreams({ ...job, port, events: 6 })).toMatchObject({
    done: 0,
    failed: 3,
    events: 15,
  });
  const slowPort = await startUpstream({ events: 1_000, gapMs: 10 });
  expect(await runStreams({ ...job, port: slowPort, events: 1_000 })).toMatchObject({
    done: 0,
    failed: 3,
  });
  using refusing = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("no", { status: 401 }),
  });
  expect(await runStreams({ ...job, port: Number(refusing.port), events: 5 })).toMatchObject({
    done: 0,
    failed: 3,
  });
});

test("events that arrive together are counted one by one, and an end in pieces is seen", async () => {
  const { streamHead, delta, streamEnd } = messagesAnswers;
  using listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async data(socket) {
        socket.write(Buffer.concat([streamHead, delta, delta, delta]));
        await Bun.sleep(20);
        socket.write(streamEnd.subarray(0, -3));
        await Bun.sleep(20);
        socket.write(streamEnd.subarray(-3));
      },
    },
  });
  const body = conversationBody(1_024, { stream: true });
  const job = {
    port: listener.port,
    streams: 1,
    openWithinMs: 1,
    headers,
    body,
    deadlineMs: 2_000,
  };
  expect(await runStreams({ ...job, events: 3 })).toMatchObject({ done: 1, events: 3 });
  expect(await runStreams({ ...job, events: 2 })).toMatchObject({ failed: 1, events: 3 });
});

test("the upstream reads a whole request before it answers, by JSON or by a stream as it was asked", async () => {
  const port = await startUpstream({ events: 1, gapMs: 10 });
  for (const [stream, contentType] of [
    [false, "application/json"],
    [true, "text/event-stream; charset=utf-8"],
  ] as const) {
    const body = conversationBody(500 * 1_024, { stream });
    const response = await fetch(`http://127.0.0.1:${port}/v1/messages`, {
      method: "POST",
      headers,
      body,
    });
    expect(response.headers.get("content-type")).toBe(contentType);
    expect(await response.text()).toContain('"type":"message"');
  }
});

test("Bedrock answers by its path, a stream with the same events in its own frames", async () => {
  const port = await startUpstream({ events: 3, gapMs: 10 });
  const body = conversationBody(1_024, { stream: true });
  const post = (path: string, authorization: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers: { authorization }, body });
  const signed = "AWS4-HMAC-SHA256 Credential=of/nobody";
  const plain = await (await post("/v1/messages", "none")).text();
  expect(plain.split("event: content_block_delta").length).toBe(4);

  const streamed = await post("/model/us.anthropic.x-v1%3A0/invoke-with-response-stream", signed);
  expect(streamed.headers.get("content-type")).toBe("application/vnd.amazon.eventstream");
  expect(readAll(createBedrockEventReader(), [await streamed.bytes()])).toEqual({
    events: plain,
    broke: undefined,
  });
  const whole = await post("/model/us.anthropic.x-v1%3A0/invoke", signed);
  expect(await whole.json()).toMatchObject({ type: "message" });
  for (const operation of ["invoke", "invoke-with-response-stream"]) {
    expect((await post(`/model/us.anthropic.x/${operation}`, "Bearer of-nobody")).status).toBe(403);
  }
});

test("CPU, that of the kernel too, and memory of a process include those of its children", async () => {
  const child = keep(
    Bun.spawn(
      [
        "/bin/sh",
        "-c",
        `'${process.execPath}' -e '${busyFor300Ms}; setTimeout(() => {}, 5000)'; :`,
      ],
      {
        stdout: "pipe",
      },
    ),
  );
  await child.stdout.getReader().read();
  expect(cpuMicroseconds(child.pid)).toBeGreaterThan(280_000);
  const { now, peak } = memoryBytes(child.pid);
  expect(now).toBeGreaterThan(10_000_000);
  expect(peak).toBeGreaterThanOrEqual(now);
});

test("a command that fails or hangs is an error and not a figure", async () => {
  expect(await failure(["/bin/sh", "-c", "echo broken >&2; exit 3"], 5_000)).toContain(
    "ended with 3: broken",
  );
  expect(await failure(["/bin/sleep", "30"], 50)).toContain("ended with");
});

test("a row compares medians and says whether its target is met", () => {
  expect(median([9, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  const rounds = { base: [10, 12, 500], gateway: [60, 600, 72] };
  const missed = row("1 KB", "CPU per request", "µs", rounds, { of: "ratio", max: 5 });
  expect(missed).toMatchObject({ base: 12, gateway: 72, ratio: 6, met: false });
  const met = row("1 KB", "latency p50", "ms", rounds, { of: "figure", max: 72 });
  expect(met.met).toBe(true);
  const lines = table([missed, met], { base: "nginx", gateway: "ours" }).split("\n");
  expect(lines[0]).toMatch(/\| +nginx \| +ours \|/);
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  expect(lines[2]).toContain("≤ 5× missed");
  expect(lines[3]).toContain("≤ 72 ms met");
});

test("an unknown option and a target without a place for the configuration are refused", () => {
  expect(readOptions(["--target", "other-gateway"], {})).toEqual({
    wrong: expect.stringContaining("{config}"),
  });
  expect(readOptions(["--targt", "x"], {})).toEqual({ wrong: expect.stringContaining("--targt") });
  expect(readOptions([], { BENCH_BINARY: "/opt/gateway" })).toMatchObject({
    command: "'/opt/gateway' --config {config}",
    only: comparisonNames.filter((name) => name !== "spend-other"),
  });
});

test("another gateway is compared with where one is given", () => {
  const beside = "other-gateway --config {config}";
  expect(readOptions(["--beside", beside], {})).toMatchObject({
    besideCommand: beside,
    only: comparisonNames,
  });
  expect(readOptions(["--only", "spend-other"], {})).toEqual({
    wrong: expect.stringContaining("--beside"),
  });
});

test("one comparison is made where one is named, and another name is refused", () => {
  expect(readOptions(["--only", "bedrock"], {})).toMatchObject({ only: ["bedrock"] });
  expect(readOptions(["--only", "vertex"], {})).toEqual({
    wrong: expect.stringContaining("nginx, bedrock"),
  });
});

async function startUpstream(options: { events: number; gapMs: number }): Promise<number> {
  const argv = [process.execPath, join(import.meta.dir, "upstream.ts"), JSON.stringify(options)];
  const child = keep(Bun.spawn(argv, { stdin: "pipe", stdout: "pipe" }));
  const first = await child.stdout.getReader().read();
  return Number(new TextDecoder().decode(first.value));
}

/** The message of the error a command ends in. */
function failure(argv: string[], deadlineMs: number): Promise<string> {
  return run(argv, { deadlineMs }).then(
    () => "none",
    (error: unknown) => String(error),
  );
}
