// How often each case is measured, and in which order. The cases are in comparisons.ts, one round of each kind in
// measure.ts; medians, ratios and the table are in report.ts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BodyCase, type StreamCase, stream, streamBody } from "./comparisons.ts";
import {
  type BodyRound,
  bodyRound,
  connections as usualConnections,
  type StreamRound,
  streamRound,
} from "./measure.ts";
import type { Plan } from "./options.ts";
import type { Server } from "./processes.ts";
import { each, type Row, type Rounds, row, type Side, sides, type Target } from "./report.ts";
import type { Tools } from "./tools.ts";

/** All rounds of one case, and what of them is printed. `failed` counts answers that were errors or never ended. */
export type Measured = {
  readonly name: string;
  readonly rounds: Rounds<BodyRound> | Rounds<StreamRound>;
  readonly rows: readonly Row[];
};

/** Boots in turns, in milliseconds. The first boot of the gateway migrates the database and is not counted. */
export async function measureBoots(
  start: Record<Side, () => Promise<Server>>,
  plan: Plan,
): Promise<Rounds<number>> {
  await (await start.gateway()).stop();
  return inTurns(plan.boots, async (side) => {
    const server = await start[side]();
    await server.stop();
    return server.bootMs;
  });
}

/** Requests of every size; `directory` is for the bodies, which wrk reads from files. */
export async function measureBodies(
  tools: Tools,
  servers: Record<Side, Server>,
  bodies: readonly BodyCase[],
  plan: Plan,
  load: { headers: Record<string, string>; directory: string },
): Promise<Measured[]> {
  const cases = bodies.map((of, index) => ({
    ...of,
    bodyPath: join(load.directory, `body-${index}.json`),
    rounds: each<BodyRound[]>(() => []),
  }));
  for (const { bodyPath, body } of cases) writeFileSync(bodyPath, body);
  const measure = (
    side: Side,
    { bodyPath, connections = usualConnections }: { bodyPath: string; connections?: number },
    seconds: number,
  ) => bodyRound(tools, servers[side], { ...load, bodyPath, connections, seconds });

  // A just-started process compiles its hot paths first: a second of each body is not counted.
  for (const of of cases) {
    for (const side of sides) await measure(side, of, 1);
  }
  for (let round = 0; round < plan.bodyRounds; round += 1) {
    for (const of of cases) {
      for (const side of sides) of.rounds[side].push(await measure(side, of, plan.bodySeconds));
    }
  }
  return cases.map(({ name, rounds, cpu }) => ({
    name,
    rounds,
    rows: bodyRows(name, rounds, cpu),
  }));
}

/** Concurrent streams, read to their end. A round of each of `warmUp` goes before them and is not counted. */
export async function measureStreams(
  servers: Record<Side, Server>,
  streamsOf: { measured: readonly StreamCase[]; warmUp: readonly StreamCase[] },
  plan: Plan,
  headers: Record<string, string>,
): Promise<Measured[]> {
  const cases = streamsOf.measured.map((of) => ({ ...of, rounds: each<StreamRound[]>(() => []) }));
  const load = {
    events: stream.events,
    body: streamBody,
    headers,
    deadlineMs: plan.streamDeadlineMs,
  };
  const measure = (side: Side, streams: number) => streamRound(servers[side], { ...load, streams });

  for (const { streams } of streamsOf.warmUp) {
    for (const side of sides) await measure(side, streams);
  }
  for (let round = 0; round < plan.streamRounds; round += 1) {
    for (const { streams, rounds } of cases) {
      for (const side of sides) rounds[side].push(await measure(side, streams));
    }
  }
  return cases.map(({ name, rounds, cpu, firstByte }) => ({
    name,
    rounds,
    rows: [
      row(name, "CPU per event", "µs", pick(rounds, "cpuMicrosecondsPerEvent"), cpu),
      row(name, "first byte p50", "ms", pick(rounds, "firstByteP50Ms"), firstByte),
      row(name, "first byte p99", "ms", pick(rounds, "firstByteP99Ms")),
      row(name, "until the last one ended", "ms", pick(rounds, "wallMs")),
    ],
  }));
}

/** A line for each side and case in which answers failed: its figures are not to be trusted. */
export function failures({ name, rounds }: Measured, names: Record<Side, string>): string[] {
  return sides.flatMap((side) => {
    const failed = rounds[side].reduce((sum, round) => sum + round.failed, 0);
    return failed > 0
      ? [`${names[side]}, ${name}: ${failed} failed in ${rounds[side].length} rounds`]
      : [];
  });
}

function bodyRows(name: string, rounds: Rounds<BodyRound>, cpu: Target | undefined): Row[] {
  return [
    row(name, "CPU per request", "µs", pick(rounds, "cpuMicrosecondsPerRequest"), cpu),
    row(name, "latency p50", "ms", pick(rounds, "p50Ms")),
    row(name, "latency p99", "ms", pick(rounds, "p99Ms")),
    row(name, "requests", "/s", pick(rounds, "requestsPerSecond")),
  ];
}

/** One side, then the other, `times` times. */
async function inTurns(
  times: number,
  measure: (side: Side) => Promise<number>,
): Promise<Rounds<number>> {
  const rounds = each<number[]>(() => []);
  for (let round = 0; round < times; round += 1) {
    for (const side of sides) rounds[side].push(await measure(side));
  }
  return rounds;
}

function pick<K extends string>(
  rounds: Record<Side, ReadonlyArray<Record<K, number>>>,
  key: K,
): Rounds<number> {
  return each((side) => rounds[side].map((round) => round[key]));
}
