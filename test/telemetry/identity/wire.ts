// Protobuf by hand, for what no encoder writes.

/** A varint, padded to this many bytes when it is shorter. */
export function varint(value: number, paddedTo = 1): Uint8Array {
  const bytes: number[] = [];
  for (
    let rest = value;
    rest > 0 || bytes.length < Math.max(1, paddedTo);
    rest = Math.floor(rest / 128)
  )
    bytes.push((rest % 128) | 0x80);
  bytes.push((bytes.pop() ?? 0) & 0x7f);
  return Uint8Array.from(bytes);
}

export function tag(number: number, wireType: number): Uint8Array {
  return varint(number * 8 + wireType);
}

/** A field of bytes, text, or a message of these parts. */
export function delimited(number: number, ...parts: (Uint8Array | string)[]): Uint8Array {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([tag(number, 2), varint(bytes.length), bytes]);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The fields of a KeyValue with a text. */
export const key = (name: string) => delimited(1, name);
export const value = (content: string) => delimited(2, delimited(1, content));

/** An export of logs that has this one attribute, or more fields of them, in its resource. */
export function logsWith(...attributes: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    delimited(1, delimited(1, ...attributes.map((attribute) => delimited(1, attribute)))),
  );
}
