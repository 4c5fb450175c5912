// What became of every request of the soak: whether it went as it should, whether a fault of that moment explains it, and what it
// cost. Which faults there are is faults.ts's.

/** What a request is for; a fault says which of them it may touch. */
export type Kind =
  | "whole"
  | "stream"
  | "abort"
  | "stuck"
  | "read"
  | "refresh"
  | "sign-in"
  | "sign-out"
  | "telemetry"
  | "admin"
  | "junk";

export type Fault = {
  readonly name: string;
  /** Kinds that may fail while it lasts, and for a while after. */
  readonly touches: ReadonlySet<Kind>;
};

export type Tally = {
  /** Runs one request. It throws, or returns false, when it did not go as it should. */
  count(kind: Kind, request: () => Promise<boolean>): Promise<void>;
  /** A fault begins; the function returned is called when it is over. */
  begin(fault: Fault): () => void;
  /** A call that was answered in full cost this; one that was interrupted cost between nothing and this. */
  spend(principal: string, cents: number, isWhole: boolean): void;
  spent(): ReadonlyMap<string, { atLeast: number; atMost: number }>;
  /** What no fault excuses. */
  wrong(what: string): void;
  unexplained(): string[];
  table(): string;
};

/** After the end of a fault what it did may still be seen: a request that began in it, a gateway that notices. */
const echoMs = 8_000;

/** Failures that are told one by one. */
const toldMax = 40;

type Count = { requests: number; explained: number; slowestMs: number };

export function createTally(): Tally {
  const counts = new Map<Kind, Count>();
  const faults: { fault: Fault; endedAt: number }[] = [];
  const seen = new Map<string, number>();
  const unexplained: string[] = [];
  const spent = new Map<string, { atLeast: number; atMost: number }>();

  function explanation(kind: Kind, startedAt: number): string | undefined {
    return faults.find(
      ({ fault, endedAt }) => fault.touches.has(kind) && endedAt + echoMs > startedAt,
    )?.fault.name;
  }

  function failed(kind: Kind, startedAt: number, why: string, count: Count): void {
    const name = explanation(kind, startedAt);
    if (name !== undefined) {
      count.explained += 1;
      return;
    }
    const active = faults.filter(({ endedAt }) => endedAt + echoMs > startedAt);
    const during = active.map(({ fault }) => fault.name).join(" and ") || "no fault";
    unexplained.push(`${new Date().toISOString()} ${kind} during ${during}: ${why}`);
  }

  return {
    async count(kind, request) {
      const count = counts.get(kind) ?? { requests: 0, explained: 0, slowestMs: 0 };
      counts.set(kind, count);
      const startedAt = Date.now();
      try {
        if (!(await request())) failed(kind, startedAt, "an answer that is none", count);
      } catch (error) {
        failed(kind, startedAt, String(error), count);
      }
      count.requests += 1;
      count.slowestMs = Math.max(count.slowestMs, Date.now() - startedAt);
    },
    begin(fault) {
      const entry = { fault, endedAt: Infinity };
      faults.push(entry);
      if (faults.length > 100) faults.shift();
      seen.set(fault.name, (seen.get(fault.name) ?? 0) + 1);
      return () => {
        entry.endedAt = Date.now();
      };
    },
    spend(principal, cents, isWhole) {
      const sum = spent.get(principal) ?? { atLeast: 0, atMost: 0 };
      spent.set(principal, sum);
      sum.atMost += cents;
      if (isWhole) sum.atLeast += cents;
    },
    spent: () => spent,
    wrong: (what) => void unexplained.push(`${new Date().toISOString()} ${what}`),
    unexplained: () =>
      unexplained.length <= toldMax
        ? unexplained
        : [...unexplained.slice(0, toldMax), `… and ${unexplained.length - toldMax} more`],
    table() {
      const requests = [...counts].map(
        ([kind, { requests: all, explained, slowestMs }]) =>
          `${kind.padEnd(10)} ${String(all).padStart(8)} requests, ${String(explained).padStart(5)} failed by a fault that may, slowest ${slowestMs} ms`,
      );
      const happened = [...seen].map(([name, times]) => `${String(times).padStart(4)} x ${name}`);
      return [...requests, "faults:", ...happened].join("\n");
    },
  };
}
