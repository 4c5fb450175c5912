// What is measured, how often, in which order, and what is aimed at. One round of each kind is in measure.ts; medians,
// ratios and the table are in report.ts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BodyRound,
  bodyRound,
  connections,
  openWithinMs,
  type StreamRound,
  streamRound,
} from "./measure.ts";
import type { Plan } from "./options.ts";
import type { Server } from "./processes.ts";
import { each, type Row, type Rounds, row, type Side, sides, type Target } from "./report.ts";
import { conversationBody, documentBody } from "./requests.ts";
import type { Tools } from "./tools.ts";

/** Every stream is this long: the upstream sends that many events that far apart. */
export const stream = { events: 200, gapMs: 10 } as const;

/** What a reader of the table must know to repeat it. */
export const conditions =
  `Request bodies at ${connections} connections, answers of 1 KB; ` +
  `streams of ${stream.events} events ${stream.gapMs} ms apart, all opened within ${openWithinMs / 1000} s.`;

export const smallBody = conversationBody(1_024, { stream: false });
export const streamBody = conversationBody(1_024, { stream: true });

const atMost = (times: number): Target => ({ of: "ratio", max: times });
const bodyCases = [
  { name: "1 KB", body: smallBody, cpu: atMost(6) },
  { name: "90 KB", body: conversationBody(90 * 1_024, { stream: false }), cpu: undefined },
  { name: "500 KB", body: conversationBody(500 * 1_024, { stream: false }), cpu: atMost(2.5) },
  { name: "500 KB, one string", body: documentBody(500 * 1_024), cpu: atMost(2.5) },
];
const streamCases = [
  { name: "200 streams", streams: 200, cpu: atMost(1.2), firstByte: undefined },
  { name: "1,000 streams", streams: 1_000, cpu: atMost(1.2), firstByte: { of: "figure", max: 40 } },
] as const;
export const processTargets = {
  restMegabytes: { of: "figure", max: 80 },
  bootMs: { of: "figure", max: 150 },
} as const;

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
  plan: Plan,
  load: { headers: Record<string, string>; directory: string },
): Promise<Measured[]> {
  const cases = bodyCases.map((of, index) => ({
    ...of,
    bodyPath: join(load.directory, `body-${index}.json`),
    rounds: each<BodyRound[]>(() => []),
  }));
  for (const { bodyPath, body } of cases) writeFileSync(bodyPath, body);
  const measure = (side: Side, bodyPath: string, seconds: number) =>
    bodyRound(tools, servers[side], { ...load, bodyPath, seconds });

  // A just-started process compiles its hot paths first: a second of each body is not counted.
  for (const { bodyPath } of cases) {
    for (const side of sides) await measure(side, bodyPath, 1);
  }
  for (let round = 0; round < plan.bodyRounds; round += 1) {
    for (const { bodyPath, rounds } of cases) {
      for (const side of sides) rounds[side].push(await measure(side, bodyPath, plan.bodySeconds));
    }
  }
  return cases.map(({ name, rounds, cpu }) => ({
    name,
    rounds,
    rows: bodyRows(name, rounds, cpu),
  }));
}

/** Concurrent streams, read to their end. */
export async function measureStreams(
  servers: Record<Side, Server>,
  plan: Plan,
  headers: Record<string, string>,
): Promise<Measured[]> {
  const cases = streamCases.map((of) => ({ ...of, rounds: each<StreamRound[]>(() => []) }));
  const load = {
    events: stream.events,
    body: streamBody,
    headers,
    deadlineMs: plan.streamDeadlineMs,
  };
  for (let round = 0; round < plan.streamRounds; round += 1) {
    for (const { streams, rounds } of cases) {
      for (const side of sides)
        rounds[side].push(await streamRound(servers[side], { ...load, streams }));
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
export function failures({ name, rounds }: Measured): string[] {
  return sides.flatMap((side) => {
    const failed = rounds[side].reduce((sum, round) => sum + round.failed, 0);
    return failed > 0
      ? [`${side}, ${name}: ${failed} failed in ${rounds[side].length} rounds`]
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
