// What the code under test logs, for tests in the same process.
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { flushLog, setLogDescriptor, setLogLevel, stderr } from "../../src/log.ts";
import { temporaryDirectory } from "../store/opened.ts";

export type Logged = {
  /** Operational lines since the last call, without their time. */
  lines(): string[];
  /** Audit events since the last call, without theirs. */
  events(): object[];
  end(): void;
};

export function captureLog(): Logged {
  const directory = temporaryDirectory();
  const path = join(directory, "log");
  const file = openSync(path, "w");
  setLogDescriptor(file);
  setLogLevel("info");
  const read = { lines: 0, events: 0 };

  function fresh(kind: keyof typeof read): string[] {
    flushLog();
    const all = readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{") === (kind === "events"));
    const found = all.slice(read[kind]);
    read[kind] = all.length;
    return found;
  }

  return {
    lines: () => fresh("lines").map((line) => line.replace(/^\[gateway\] \S+ /, "")),
    events: () =>
      fresh("events").map((line) => {
        const { ts: _ts, ...event } = JSON.parse(line);
        return event;
      }),
    end() {
      setLogDescriptor(stderr);
      setLogLevel("error"); // As support/quiet.ts has it.
      closeSync(file);
      rmSync(directory, { recursive: true });
    },
  };
}
