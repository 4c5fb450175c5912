// Ids of traces and spans: random, as many hexadecimal digits as W3C Trace Context has them.

export type TraceIds = {
  /** 32 and 16 digits in lower case, not all of them 0. */
  traceId(): string;
  spanId(): string;
};

const traceIdBytes = 16;
const spanIdBytes = 8;

/** Random bytes are fetched so many at a time, as each fetching costs more than an id. */
const poolBytes = 4_096;

/** @param fillRandom fills the bytes, of which ids are made, with random ones. */
export function createTraceIds(fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void): TraceIds {
  const pool = Buffer.alloc(poolBytes);
  let taken = poolBytes;

  function next(byteCount: number): string {
    if (taken + byteCount > poolBytes) {
      fillRandom(pool);
      taken = 0;
    }
    const id = pool.toString("hex", taken, taken + byteCount);
    taken += byteCount;
    return /[^0]/.test(id) ? id : id.replace(/0$/, "1");
  }

  return { traceId: () => next(traceIdBytes), spanId: () => next(spanIdBytes) };
}

/** Of this process. */
export const randomIds = createTraceIds((bytes) => void crypto.getRandomValues(bytes));
