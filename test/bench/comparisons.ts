// What is measured and what is aimed at: the gateway beside nginx, in front of Amazon Bedrock beside in front of Anthropic, with
// spend counted beside without, and with spend counted beside nginx and beside another gateway. How often and in which order is in rounds.ts; what is sent is made in requests.ts.
import { connections, openWithinMs } from "./measure.ts";
import type { Side, Target } from "./report.ts";
import { conversationBody, documentBody } from "./requests.ts";

/**
 * Servers that can be a side of a comparison: nginx; the gateway in front of Anthropic, in front of Amazon Bedrock, or in front
 * of Anthropic with spend counted, without and with all its telemetry; another gateway in the place of the one that counts.
 */
export type Contender = "nginx" | "anthropic" | "bedrock" | "spend" | "telemetry" | "other";

export type BodyCase = {
  readonly name: string;
  readonly body: string;
  /** Kept-alive connections that send it, where it is not the usual number. */
  readonly connections?: number;
  /** Of the CPU per request. */
  readonly cpu?: Target;
};

export type StreamCase = {
  readonly name: string;
  readonly streams: number;
  /** Of the CPU per event. */
  readonly cpu?: Target;
  /** Of the median first byte. */
  readonly firstByte?: Target;
};

export type Comparison = {
  readonly title: string;
  readonly contenders: Record<Side, Contender>;
  /** What they are called in the table. */
  readonly names: Record<Side, string>;
  readonly bodies: readonly BodyCase[];
  readonly streams: readonly StreamCase[];
  /** Streams that are not counted, for what is compiled while the first ones run. */
  readonly warmUp: readonly StreamCase[];
  readonly rest?: Target;
  readonly boot?: Target;
};

export const comparisonNames = [
  "nginx",
  "bedrock",
  "spend",
  "telemetry",
  "spend-nginx",
  "spend-other",
] as const;
export type ComparisonName = (typeof comparisonNames)[number];

/** Every stream is this long: the upstream sends that many events that far apart. */
export const stream = { events: 200, gapMs: 10 } as const;

/** What a reader of the tables must know to repeat them. */
export const conditions =
  `Request bodies at ${connections} connections, answers of 1 KB; ` +
  `streams of ${stream.events} events ${stream.gapMs} ms apart, all opened within ${openWithinMs / 1000} s.`;

export const smallBody = conversationBody(1_024, { stream: false });
export const streamBody = conversationBody(1_024, { stream: true });

const small = { name: "1 KB", body: smallBody };
/**
 * As a replica has them that works: a request that waits for its check leaves its connection idle, and a process that idles
 * between requests spends twice as much on each, whatever it does.
 */
const busy = { ...small, name: "1 KB, 128 connections", connections: 128 };
const ninety = { name: "90 KB", body: conversationBody(90 * 1_024, { stream: false }) };

const fewStreams = { name: "200 streams", streams: 200 };
const manyStreams = { name: "1,000 streams", streams: 1_000 };

export const comparisons: Record<ComparisonName, Comparison> = {
  nginx: {
    title: "Beside nginx as a plain reverse proxy, in front of the Messages API",
    contenders: { base: "nginx", gateway: "anthropic" },
    names: { base: "nginx", gateway: "gateway" },
    bodies: [
      { ...small, cpu: atMost(6) },
      ninety,
      { name: "500 KB", body: conversationBody(500 * 1_024, { stream: false }), cpu: atMost(2.5) },
      { name: "500 KB, one string", body: documentBody(500 * 1_024), cpu: atMost(2.5) },
    ],
    streams: [
      { ...fewStreams, cpu: atMost(1.2) },
      { ...manyStreams, cpu: atMost(1.2), firstByte: { of: "figure", max: 40 } },
    ],
    warmUp: [],
    rest: { of: "figure", max: 80 },
    boot: { of: "figure", max: 150 },
  },
  bedrock: {
    title:
      "The gateway in front of Amazon Bedrock (SigV4, binary frames) beside it in front of Anthropic",
    contenders: { base: "anthropic", gateway: "bedrock" },
    names: { base: "anthropic", gateway: "bedrock" },
    bodies: [small],
    streams: [
      { ...fewStreams, cpu: atMost(2) },
      { ...manyStreams, cpu: atMost(2) },
    ],
    warmUp: [fewStreams],
  },
  spend: {
    title: "The gateway with spend counted under a cap, beside it without",
    contenders: { base: "anthropic", gateway: "spend" },
    names: { base: "without", gateway: "counted" },
    bodies: [{ ...busy, cpu: atMost(1.6) }, small, ninety],
    streams: [{ ...fewStreams, cpu: atMost(1.6) }, manyStreams],
    warmUp: [],
  },
  telemetry: {
    title:
      "The gateway with all its telemetry (records, spans, metrics), beside it without; spend counted by both",
    contenders: { base: "spend", gateway: "telemetry" },
    names: { base: "without", gateway: "told" },
    bodies: [
      { ...busy, cpu: atMost(1.15) },
      { ...small, cpu: atMost(1.15) },
      { ...ninety, cpu: atMost(1.15) },
    ],
    streams: [
      { ...fewStreams, cpu: atMost(1.15) },
      { ...manyStreams, cpu: atMost(1.15) },
    ],
    warmUp: [],
  },
  "spend-nginx": {
    title: "The gateway with spend counted under a cap, beside nginx as a plain reverse proxy",
    contenders: { base: "nginx", gateway: "spend" },
    names: { base: "nginx", gateway: "counted" },
    bodies: [{ ...busy, cpu: atMost(8) }, small],
    streams: [],
    warmUp: [],
  },
  "spend-other": {
    title: "The gateway with spend counted under a cap, beside another one",
    contenders: { base: "other", gateway: "spend" },
    names: { base: "other", gateway: "counted" },
    // Eight times the requests per second and core.
    bodies: [{ ...busy, cpu: atMost(1 / 8) }, small],
    streams: [],
    warmUp: [],
  },
};

function atMost(times: number): Target {
  return { of: "ratio", max: times };
}
