// Processes of the benchmark: starting them so that none outlives it, and reading from /proc what they use. Which
// processes there are is in nginx.ts, gateway.ts, wrk.ts and bench.ts.
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { Subprocess } from "bun";

/** /proc/<pid>/stat counts in USER_HZ, which Linux fixes at 100 for user space on x64 and arm64. */
const microsecondsPerTick = 10_000;
const stopWaitMs = 3_000;
const portPollMs = 1;

export type Server = {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** From starting the process to the first accepted connection, in milliseconds. */
  readonly bootMs: number;
  stop(): Promise<void>;
};

export type Command = {
  readonly argv: readonly string[];
  readonly env?: Record<string, string>;
  /** Where stderr goes; shown when the process does not come up. */
  readonly stderrPath: string;
};

const running = new Map<number, Subprocess>();
let ending = false;

/** Starts a server and waits until it accepts connections. Throws with the end of its stderr when it does not. */
export async function startServer(name: string, command: Command, port: number): Promise<Server> {
  const startedAt = performance.now();
  const child = keep(
    Bun.spawn([...command.argv], {
      ...(command.env && { env: command.env }),
      stdio: ["ignore", "ignore", Bun.file(command.stderrPath)],
    }),
  );
  const deadline = startedAt + 20_000;
  while (!(await accepts(port))) {
    if (child.exitCode === null && performance.now() < deadline) {
      await Bun.sleep(portPollMs);
      continue;
    }
    await stop(child);
    throw new Error(
      `${name} did not start: ${readFileSync(command.stderrPath, "utf8").slice(-1_500)}`,
    );
  }
  return {
    name,
    pid: child.pid,
    port,
    bootMs: performance.now() - startedAt,
    stop: () => stop(child),
  };
}

/**
 * Runs a command to its end and resolves with its output. Throws when it fails or takes longer than `deadlineMs`.
 * @param input written to its stdin.
 */
export async function run(
  argv: readonly string[],
  options: { deadlineMs: number; input?: string },
): Promise<{ stdout: string; stderr: string }> {
  const child = Bun.spawn([...argv], {
    stdin: Buffer.from(options.input ?? ""),
    stdout: "pipe",
    stderr: "pipe",
  });
  keep(child);
  const timer = setTimeout(() => void stop(child), options.deadlineMs);
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${argv[0]} ended with ${code}: ${stderr.slice(-1_500)}`);
  return { stdout, stderr };
}

/** Remembers a child until it ends, so that `endAll` finds it. After `endAll` no child lives: throws. */
export function keep<T extends Subprocess>(child: T): T {
  if (ending) {
    child.kill("SIGKILL");
    throw new Error("the run is ending");
  }
  running.set(child.pid, child);
  void child.exited.then(() => running.delete(child.pid));
  return child;
}

/** Ends every process started here with its descendants, and with them the starting of others. */
export async function endAll(): Promise<void> {
  ending = true;
  await Promise.all([...running.values()].map(stop));
}

/** CPU time of a process and its descendants since their start, in microseconds, over all threads. */
export function cpuMicroseconds(pid: number): number {
  const ticks = processTree(pid).map((member) => {
    // The name in parentheses may hold blanks. After it: state is field 3; utime, stime, cutime and cstime are 14 to 17.
    const fields = readProc(`${member}/stat`).split(") ").at(-1)?.split(" ") ?? [];
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  });
  return ticks.reduce((sum, count) => sum + count, 0) * microsecondsPerTick;
}

/** Resident memory of a process and its descendants in bytes: now, and the highest since each began. */
export function memoryBytes(pid: number): { now: number; peak: number } {
  const total = { now: 0, peak: 0 };
  for (const member of processTree(pid)) {
    const status = readProc(`${member}/status`);
    const bytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
    total.now += bytes("VmRSS");
    total.peak += bytes("VmHWM");
  }
  return total;
}

/** Size of the file a process runs, in bytes. */
export function executableBytes(pid: number): number {
  return statSync(readlinkSync(`/proc/${pid}/exe`)).size;
}

/** A port of 127.0.0.1 that was free just now. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  probe.stop(true);
  return probe.port;
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}

async function stop(child: Subprocess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const members = processTree(child.pid);
  child.kill("SIGTERM");
  await Promise.race([child.exited, Bun.sleep(stopWaitMs)]);
  if (child.exitCode !== null || child.signalCode !== null) return;
  for (const member of members) tryKill(member);
  await child.exited;
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended between being listed and now.
  }
}

function processTree(pid: number): number[] {
  const members = [pid];
  for (const member of members) {
    for (const thread of threads(member)) {
      members.push(
        ...readProc(`${member}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
      );
    }
  }
  return members;
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Empty when the process is gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8").trim();
  } catch {
    return "";
  }
}
