// How much of an export is looked at before it is given up as unreadable, and the error that says so. The check runs on the
// event loop, where everybody's requests wait for it: its time is bounded by what it may read.

/** Bytes of an export's body once it is decompressed. Clients send tens of kilobytes, in bursts hundreds. */
export const decodedBytesMax = 4 * 1024 * 1024;

/**
 * Fields (protobuf), or members and elements (JSON), that are looked at one by one: in JSON all that there are, in protobuf those
 * of the messages on the way to an attribute. The largest batch that clients make, 512 records, has some sixty thousand.
 */
export const fieldsMax = 100_000;

/** Attributes that are corrected, each of which costs several fields: 512 records with ten false ones have some five thousand. */
export const correctionsMax = 10_000;

/** How deep values may nest in JSON. */
export const depthMax = 200;

/** An export that nobody can say for sure what a collector would read in. The message tells why, and nothing of the content. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

/** A function to be called for each field: throws `Unreadable` at the one that is too many. */
export function createFieldCount(): () => void {
  return createCount(fieldsMax, "fields");
}

/** The same for each attribute that is corrected. */
export function createCorrectionCount(): () => void {
  return createCount(correctionsMax, "false attributes");
}

function createCount(max: number, what: string): () => void {
  let left = max;
  return () => {
    if (left-- === 0) throw new Unreadable(`has more than ${max} ${what}`);
  };
}
