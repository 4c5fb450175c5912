// What a process holds, as Linux tells it.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export type Held = {
  readonly residentBytes: number;
  readonly descriptors: number;
  /** TCP connections and listening sockets among them. */
  readonly connections: number;
  readonly threads: number;
};

export function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const number = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const targets = descriptorsOf(pid);
  return {
    residentBytes: number("VmRSS") * 1024,
    descriptors: targets.length,
    connections: targets.filter((target) => target.startsWith("socket:")).length,
    threads: number("Threads"),
  };
}

/** What each descriptor leads to. One that is closed meanwhile is left out. */
function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}
