// Everything the gateway says goes to stderr, one line at a time: operational lines from here, audit events from audit.ts.
// Lines that come together leave in one write, before the event loop goes on: whoever has an answer can rely on its lines
// being written. stdout stays empty.
import { writeSync } from "node:fs";

const levels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof levels)[number];

/** Longest operational message in characters; what is longer is cut, so that an upstream's answer cannot flood the log. */
const messageLengthMax = 4_000;

/** Control, format and separator characters, and halves of a surrogate pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

let lowest: number = levels.indexOf("info");
let pending = "";
/** File descriptor that whoever started us reads. */
export const stderr = 2;
let descriptor: number = stderr;

/** Sets the lowest level that is written. Unknown words (as from an environment variable) leave `info`. */
export function setLogLevel(name: string | undefined): void {
  const index = levels.findIndex((level) => level === name);
  lowest = index < 0 ? levels.indexOf("info") : index;
}

/** Sends everything to another open file than stderr, which the demo leaves to the person in front of it. */
export function setLogDescriptor(openFile: number): void {
  flushLog();
  descriptor = openFile;
}

function write(level: LogLevel, message: string): void {
  if (levels.indexOf(level) < lowest) return;
  writeLine(`[gateway] ${new Date().toISOString()} ${level} ${oneLine(message)}`);
}

/** Operational log, `[gateway] <ts> <level> <message>`, each message as `oneLine` has it. */
export const log = {
  debug: (message: string) => write("debug", message),
  info: (message: string) => write("info", message),
  warn: (message: string) => write("warn", message),
  error: (message: string) => write("error", message),
};

/**
 * A message as one line for a person: cut when it is too long, line breaks as blanks, and else as `printable` has it. One
 * event is one line, whoever had a word in it.
 */
export function oneLine(message: string): string {
  const line =
    message.length > messageLengthMax ? `${message.slice(0, messageLengthMax)}…` : message;
  return printable(line.replaceAll(/[\r\n]+/g, " "));
}

/**
 * Text with nothing in it that a terminal would obey, and nothing that would hide or turn around what is next to it: control,
 * format and separator characters, and halves of a surrogate pair, are spelled out as in `\u{1b}`. For texts in which others
 * have a word: a configuration may be somebody's proposal, a reason an upstream's.
 */
export function printable(text: string): string {
  return text.replaceAll(
    unprintable,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/**
 * Queues one line for stderr. It is written when the running code yields, or by `flushLog`. Whatever `printable` would spell out
 * is spelled as JSON does it, so that a JSON line stays the same JSON.
 */
export function writeLine(line: string): void {
  if (pending === "") queueMicrotask(flushLog);
  pending += `${line.replaceAll(unprintable, asJson)}\n`;
}

function asJson(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** Writes what is queued now. Called before the process ends. */
export function flushLog(): void {
  let bytes = Buffer.from(pending);
  pending = "";
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      // A full pipe in non-blocking mode: wait for the reader rather than lose an audit line. Anything else (nobody
      // reads stderr any more) leaves nothing to say and nowhere to say it.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** What a caught value says, for a log line or the message of another error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Places of a fault that are told, from the innermost. */
const placesMax = 3;

/**
 * What went wrong where nobody expected it, for the default level: the class, the code and the places in the code, but not the
 * message, which may quote a request.
 */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const { code } = error as NodeJS.ErrnoException;
  const { stack = "", message } = error;
  // It begins with the message, whose lines may look like places.
  const below = stack.slice(Math.max(0, stack.indexOf(message)) + message.length);
  const places = below.split("\n").filter((line) => /^\s+at /.test(line));
  return [
    error.constructor.name,
    typeof code === "string" && /^\w{1,40}$/.test(code) ? code : "",
    ...places.slice(0, placesMax).map((line) => line.trim()),
  ]
    .filter((word) => word !== "")
    .join(" ");
}
