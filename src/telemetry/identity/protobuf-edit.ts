// Corrects attributes in an OTLP export in protobuf, on the wire: what is not an attribute to correct, or the length of what one
// stands in, stays byte for byte, fields that nobody here knows included. Which fields lead to attributes is otlp-fields.ts's,
// what those may hold own-attributes.ts's.
//
// Whatever collectors might read differently than it is read here is refused rather than guessed: groups, which OTLP has none
// of; a known field of another wire type; numbers and lengths beyond 32 bits, which readers cut differently; a field that
// reaches beyond its message; a key or a value that is given twice; a key that is not UTF-8. Messages that are given twice need
// no care: readers merge them, and every attribute of either is corrected.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { createCorrectionCount, createFieldCount, Unreadable } from "./bounds.ts";
import type { Level } from "./otlp-fields.ts";
import type { Allowed } from "./own-attributes.ts";

/** Fields of a KeyValue, and of an AnyValue. */
const keyField = 1;
const valueField = 2;
const stringField = 1;
/** An AnyValue's string, bool, int, double and bytes: what nests nothing. */
const scalarFields = new Set([1, 2, 3, 4, 7]);

const removed = Symbol("removed");

/**
 * @param level the request that the body is.
 * @returns the corrected body; undefined when there is nothing to correct.
 * @throws Unreadable
 */
export function correctedProtobuf(
  body: Uint8Array,
  level: Level,
  allowed: (key: string) => Allowed,
): Uint8Array | undefined {
  try {
    return correctedMessage(body, level, allowed);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable("is not well-formed protobuf", { cause: error });
  }
}

function correctedMessage(
  body: Uint8Array,
  request: Level,
  allowed: (key: string) => Allowed,
): Uint8Array | undefined {
  const reader = new BinaryReader(body);
  const countField = createFieldCount();
  const countCorrection = createCorrectionCount();
  return message(body.length, request);

  /** The message from here to `end`, corrected; undefined when it may stay. */
  function message(end: number, level: Level): Uint8Array | undefined {
    let writer: BinaryWriter | undefined;
    let copiedTo = reader.pos;
    while (reader.pos < end) {
      const start = reader.pos;
      const [number, wireType] = tag();
      const holds = level.byNumber.get(number)?.holds;
      if (holds === undefined) {
        skip(wireType, end);
        continue;
      }
      if (holds === "withdrawn") throw new Unreadable("has fields of an earlier OTLP");
      const fieldEnd = endOfDelimited(wireType, end);
      const change = holds === "attributes" ? attribute(fieldEnd) : message(fieldEnd, holds);
      reader.pos = fieldEnd;
      if (change === undefined) continue;
      if (holds === "attributes") countCorrection();
      writer ??= new BinaryWriter();
      writer.raw(body.subarray(copiedTo, start));
      if (change !== removed) writer.tag(number, WireType.LengthDelimited).bytes(change);
      copiedTo = fieldEnd;
    }
    return writer?.raw(body.subarray(copiedTo, end)).finish();
  }

  /** The same for the KeyValue from here to `end`; leaves the reader anywhere in it. */
  function attribute(end: number): Uint8Array | typeof removed | undefined {
    let given: string | undefined;
    let value: { start: number; end: number } | undefined;
    while (reader.pos < end) {
      const [number, wireType] = tag();
      if (number === keyField) {
        if (given !== undefined) throw new Unreadable("has an attribute with two keys");
        given = text(wireType, end);
      } else if (number === valueField) {
        if (value !== undefined) throw new Unreadable("has an attribute with two values");
        const valueEnd = endOfDelimited(wireType, end);
        value = { start: reader.pos, end: valueEnd };
        reader.pos = valueEnd;
      } else skip(wireType, end);
    }
    // What is left out is empty.
    const key = given ?? "";
    const may = allowed(key);
    if (may === "anything") return undefined;
    if (may === "nothing nested") return value !== undefined && nests(value) ? removed : undefined;
    const [own] = may;
    if (own === undefined) return removed;
    const said = value && onlyText(value);
    return said !== undefined && may.includes(said) ? undefined : keyValue(key, own);
  }

  /** Whether an AnyValue holds other values. */
  function nests({ start, end }: { start: number; end: number }): boolean {
    reader.pos = start;
    let isScalar = true;
    while (reader.pos < end) {
      const [number, wireType] = tag();
      isScalar &&= scalarFields.has(number);
      skip(wireType, end);
    }
    return !isScalar;
  }

  /** The text of an AnyValue that holds one and nothing else. */
  function onlyText({ start, end }: { start: number; end: number }): string | undefined {
    reader.pos = start;
    if (start === end) return undefined;
    const [number, wireType] = tag();
    const given =
      number === stringField && wireType === WireType.LengthDelimited
        ? text(wireType, end)
        : undefined;
    return reader.pos === end ? given : undefined;
  }

  function text(wireType: WireType, end: number): string {
    const start = reader.pos;
    endOfDelimited(wireType, end);
    reader.pos = start;
    return reader.string(true);
  }

  /** The reader refuses field numbers that are 0 or beyond 29 bits. */
  function tag(): [number: number, wireType: WireType] {
    countField();
    return reader.tag();
  }

  /** Where the field whose length is next ends; what it holds is next. */
  function endOfDelimited(wireType: WireType, end: number): number {
    if (wireType !== WireType.LengthDelimited)
      throw new Unreadable("has a field of another type than OTLP's");
    const bytes = length();
    const fieldEnd = reader.pos + bytes;
    if (fieldEnd > end) throw new Unreadable("has a field beyond the end of its message");
    return fieldEnd;
  }

  function skip(wireType: WireType, end: number): void {
    if (wireType === WireType.LengthDelimited) {
      reader.pos = endOfDelimited(wireType, end);
      return;
    }
    if (wireType === WireType.StartGroup || wireType === WireType.EndGroup)
      throw new Unreadable("has a group");
    const start = reader.pos;
    reader.skip(wireType);
    if (reader.pos > end) throw new Unreadable("has a field beyond the end of its message");
    // Readers give up at ten bytes, or go on behind them.
    if (wireType === WireType.Varint && reader.pos - start > 10)
      throw new Unreadable("has a number longer than ten bytes");
  }

  /** The reader takes lengths beyond 32 bits too, and cuts them. */
  function length(): number {
    const start = reader.pos;
    const bytes = reader.uint32();
    const varintBytes = reader.pos - start;
    if (varintBytes > 5 || (varintBytes === 5 && (body[reader.pos - 1] ?? 0) > 0x0f))
      throw new Unreadable("has a length beyond 32 bits");
    return bytes;
  }
}

function keyValue(key: string, value: string): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(keyField, WireType.LengthDelimited).string(key);
  writer.tag(valueField, WireType.LengthDelimited).fork();
  writer.tag(stringField, WireType.LengthDelimited).string(value);
  return writer.join().finish();
}
