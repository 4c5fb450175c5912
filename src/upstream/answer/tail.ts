// The end of a byte stream so far: bytes of something that has not arrived whole, kept until it has. What counts as whole is
// decided in sse.ts and event-stream.ts.
import { UpstreamStreamError } from "./stream-error.ts";

export type Tail = {
  /** What is kept and then this chunk, as one; the chunk itself, not copied, when nothing is kept. */
  join(chunk: Uint8Array): Uint8Array;
  /** Keeps the last `size` bytes of what `join` gave, and nothing else. @throws UpstreamStreamError when they are too many. */
  keep(size: number): void;
  /** @throws UpstreamStreamError when anything is kept. */
  end(): void;
};

/** A chunk that is not worth copying from. */
const smallBytesMax = 16 * 1024;

/** @param bytesMax how much is kept at most. */
export function createTail(bytesMax: number): Tail {
  // What is kept are the bytes of `space` from `start` to `end`. More goes behind them, or all of it to a larger space: twice as
  // large, so that an event in many small chunks is not copied with each of them. What was given away is not written to again.
  let space: Uint8Array = new Uint8Array();
  let start = 0;
  let end = 0;

  return {
    join(chunk) {
      const kept = end - start;
      if (kept === 0) {
        space = chunk;
        start = 0;
        end = chunk.length;
        return chunk;
      }
      if (end + chunk.length > space.length) {
        const larger = new Uint8Array(Math.max(2 * kept, kept + chunk.length));
        larger.set(space.subarray(start, end));
        space = larger;
        start = 0;
        end = kept;
      }
      space.set(chunk, end);
      end += chunk.length;
      return space.subarray(start, end);
    },
    keep(size) {
      if (size > bytesMax)
        throw new UpstreamStreamError(`an event is longer than ${bytesMax} bytes`);
      start = end - size;
      // A few bytes of a large chunk would hold all of it in memory, for as long as a client does not read on.
      if (space.length > smallBytesMax && size < space.length / 2) {
        space = space.slice(start, end);
        start = 0;
        end = size;
      }
    },
    end() {
      if (end > start) throw new UpstreamStreamError("ended inside an event");
    },
  };
}
