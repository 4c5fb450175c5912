// How much of an export is looked at before it is given up as unreadable, and the error that says so. The check runs on the
// event loop, where everybody's requests wait for it: its time is bounded by what it may read.

/** Bytes of an export's body once it is decompressed. Clients send tens of kilobytes, in bursts hundreds. */
export const decodedBytesMax = 4 * 1024 * 1024;

/**
 * Fields (protobuf), or members and elements (JSON), that are looked at one by one: all of those of the messages on the way to
 * an attribute, none of those inside values. The largest batch that clients make, 512 records, has some forty thousand.
 */
export const fieldsMax = 150_000;

/** How deep values may nest in JSON. */
export const depthMax = 200;

/** An export that nobody can say for sure what a collector would read in. The message tells why, and nothing of the content. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

/** A function to be called for each field: throws `Unreadable` at the one that is too many. */
export function createFieldCount(): () => void {
  let left = fieldsMax;
  return () => {
    if (left-- === 0) throw new Unreadable(`has more than ${fieldsMax} fields`);
  };
}
