// One round of each kind of load against one server, and what it cost that server. Which rounds there are and in which
// order is in bench.ts.
import { join } from "node:path";
import { cpuMicroseconds, run, type Server } from "./processes.ts";
import type { StreamJob, StreamResult } from "./stream-client.ts";
import { runWrk, type Tools } from "./tools.ts";

/** Kept-alive connections that send request bodies at the same time, unless a case has its own. */
export const connections = 16;
/** All streams of a round are opened within this time. */
export const openWithinMs = 200;

export type BodyRound = {
  readonly requestsPerSecond: number;
  readonly cpuMicrosecondsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
};

export type StreamRound = {
  readonly cpuMicrosecondsPerEvent: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  readonly wallMs: number;
  readonly openedWithinMs: number;
  readonly failed: number;
};

/** Requests of one body, one after the other on each connection. */
export async function bodyRound(
  tools: Tools,
  server: Server,
  load: {
    seconds: number;
    bodyPath: string;
    headers: Record<string, string>;
    directory: string;
    connections: number;
  },
): Promise<BodyRound> {
  const before = cpuMicroseconds(server.pid);
  const scriptPath = join(load.directory, "wrk.lua");
  const result = await runWrk(tools, { ...load, port: server.port, scriptPath });
  const cpu = cpuMicroseconds(server.pid) - before;
  return {
    requestsPerSecond: result.requests / result.seconds,
    cpuMicrosecondsPerRequest: cpu / result.requests,
    p50Ms: result.latencyMs.p50,
    p99Ms: result.latencyMs.p99,
    failed: result.failed,
  };
}

/** Concurrent streams, read to their end. */
export async function streamRound(
  server: Server,
  load: {
    streams: number;
    events: number;
    body: string;
    headers: Record<string, string>;
    deadlineMs: number;
  },
): Promise<StreamRound> {
  const job: StreamJob = { ...load, port: server.port, openWithinMs };
  const before = cpuMicroseconds(server.pid);
  const client = [process.execPath, join(import.meta.dir, "stream-client.ts")];
  const { stdout } = await run(client, {
    deadlineMs: load.deadlineMs + 10_000,
    input: JSON.stringify(job),
  });
  const cpu = cpuMicroseconds(server.pid) - before;
  const result: StreamResult = JSON.parse(stdout);
  return {
    cpuMicrosecondsPerEvent: cpu / result.events,
    firstByteP50Ms: result.firstByteMs.p50,
    firstByteP99Ms: result.firstByteMs.p99,
    wallMs: result.wallMs,
    openedWithinMs: result.openedWithinMs,
    failed: result.failed,
  };
}

/**
 * One JSON and one streamed answer, before anything is measured: figures of a server that refuses are worth nothing.
 * Throws with the answer when it is not what the upstream said.
 */
export async function requireAnswers(
  server: Server,
  requests: { json: string; stream: string; headers: Record<string, string> },
): Promise<void> {
  for (const [body, expected] of [
    [requests.json, '"type":"message"'],
    [requests.stream, "message_stop"],
  ] as const) {
    const response = await fetch(`http://127.0.0.1:${server.port}/v1/messages?beta=true`, {
      method: "POST",
      headers: requests.headers,
      body,
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    if (response.status !== 200 || !text.includes(expected)) {
      throw new Error(`${server.name} answered ${response.status}: ${text.slice(0, 500)}`);
    }
  }
}
