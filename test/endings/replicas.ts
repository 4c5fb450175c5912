// Replicas that share a store of endings, in memory, with a clock and timers that a test moves. The store may be away, for one of
// them or for all, and each may have a clock of its own.
import { openEndings, type Endings, type EndingsOptions } from "../../src/endings/endings.ts";
import type { Ending, EndingsStore, PageOfEndings } from "../../src/store/endings.ts";
import { createHandClock } from "../telemetry/hand-clock.ts";

/** Milliseconds between two looks of a replica at the store. */
export const pollMs = 2_000;

export type Replica = Endings & {
  /** Warnings and errors, and what else it said. */
  said: string[];
  /** How many rows the store was asked for, at each look: all, or those of the last minute. */
  looks: ("all" | "recent")[];
  /** While true, whatever it asks the store for fails. */
  isCutOff: boolean;
};

export type World = {
  /** Seconds since the epoch. */
  seconds(): number;
  replica(options?: Partial<EndingsOptions> & { clockAheadMs?: number }): Promise<Replica>;
  /** Lets time pass for everybody, and what follows from it happen. */
  pass(ms: number): Promise<void>;
  /** What is recorded: each row with when it was. */
  rows: Map<string, { ending: Ending; atMs: number }>;
};

export function createWorld(): World {
  let nowMs = Date.parse("2026-11-22T12:00:00Z");
  const clock = createHandClock();
  const rows: World["rows"] = new Map();

  function storeFor(replica: () => Replica | undefined): EndingsStore {
    const answer = async <Result>(result: () => Result) => {
      if (replica()?.isCutOff) throw new Error("the database is away");
      return result();
    };
    return {
      record: (endings) =>
        answer(() => {
          for (const ending of endings) {
            const key = ending.kind === "session" ? ending.id : ending.principal;
            const known = rows.get(key)?.ending;
            rows.delete(key);
            rows.set(key, { ending: later(ending, known), atMs: nowMs });
          }
        }),
      read: (withinSeconds, rowsMax, before) => {
        if (before === undefined) replica()?.looks.push(withinSeconds > 3_600 ? "all" : "recent");
        return answer(() => {
          const sinceMs = nowMs - withinSeconds * 1000;
          return pageOf(rows, { nowMs, sinceMs, rowsMax, beforeMs: Number(before ?? Infinity) });
        });
      },
      readPrincipals: (principals) =>
        answer(() =>
          principals.flatMap((principal) => {
            const ending = rows.get(principal)?.ending;
            return ending?.kind === "principal"
              ? [[principal, ending.throughSeconds] as const]
              : [];
          }),
        ),
      has: (id, principal, beganAtSeconds) =>
        answer(() => {
          const through = rows.get(principal)?.ending;
          return (
            rows.get(id)?.ending.kind === "session" ||
            (through?.kind === "principal" && through.throughSeconds >= beganAtSeconds)
          );
        }),
      principalsWithEmail: async () => [],
      prune: async () => 0,
    };
  }

  return {
    seconds: () => Math.floor(nowMs / 1000),
    rows,
    async replica({ clockAheadMs = 0, ...options } = {}) {
      let opened: Replica | undefined;
      const said: string[] = [];
      const say = (message: string) => void said.push(message);
      const endings = await openEndings({
        store: storeFor(() => opened),
        bearerTtlSeconds: 3600,
        log: { info: say, warn: say, error: say },
        after: clock.after,
        now: () => nowMs + clockAheadMs,
        ...options,
      });
      opened = { ...endings, said, looks: [], isCutOff: false };
      return opened;
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += pollMs) {
        nowMs += Math.min(pollMs, ms - passed);
        clock.pass(Math.min(pollMs, ms - passed));
        await Bun.sleep(0);
      }
    },
  };
}

function later(ending: Ending, known: Ending | undefined): Ending {
  if (ending.kind === "session" || known?.kind !== "principal") return ending;
  return known.throughSeconds > ending.throughSeconds ? known : ending;
}

function pageOf(
  rows: World["rows"],
  asked: { nowMs: number; sinceMs: number; rowsMax: number; beforeMs: number },
): PageOfEndings {
  const newest = [...rows.values()]
    .filter(({ atMs }) => atMs > asked.sinceMs && atMs < asked.beforeMs)
    .toReversed();
  const lastMs = newest[asked.rowsMax - 1]?.atMs;
  const page = newest.filter(({ atMs }) => atMs >= (lastMs ?? 0)).toReversed();
  const ageSeconds = (atMs: number) => (asked.nowMs - atMs) / 1000;
  return {
    sessions: page.flatMap(({ ending, atMs }) =>
      ending.kind === "session" ? [[ending.id, ageSeconds(atMs)] as const] : [],
    ),
    principals: page.flatMap(({ ending }) =>
      ending.kind === "principal" ? [[ending.principal, ending.throughSeconds] as const] : [],
    ),
    next:
      lastMs === undefined ? undefined : { before: String(lastMs), ageSeconds: ageSeconds(lastMs) },
  };
}
