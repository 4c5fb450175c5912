// A gateway as operators run it: a process of its own, started from a configuration file, listened to on stderr.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const entry = join(import.meta.dir, "..", "..", "src", "main.ts");

/** The gateway from its source, with the runtime that runs the tests. */
const fromSource: readonly string[] = [process.execPath, entry];

/** Milliseconds a gateway may take to listen, or to give up. */
const bootTimeoutMs = 20_000;

/** Milliseconds until a line that was written has been read here. */
const logTimeoutMs = 2_000;

export type AuditRecord = { ts: string; evt: string } & Record<string, unknown>;

export type GatewayProcess = {
  url: string;
  pid: number;
  /** All of stderr so far. */
  stderr(): string;
  /** All of stdout so far, which a gateway leaves empty. */
  stdout(): string;
  /** Audit events of one kind so far. */
  audit(evt: string): AuditRecord[];
  /** Waits, at most two seconds, for an audit event of this kind with these fields. */
  audited(evt: string, fields: Record<string, unknown>): Promise<void>;
  /** Waits, at most two seconds, until stderr matches. */
  waitForLog(pattern: RegExp): Promise<void>;
  /** Sends a signal and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
};

/** Runs the gateway's command line to its end. */
export async function runCommand(args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...fromSource, ...args], {
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { stdout, stderr, exitCode };
}

/**
 * Starts a gateway from a configuration, as YAML text or as what JSON (which is YAML) is made of, and waits until it listens.
 * Throws with its stderr if it does not.
 * @param command what is started, without the gateway's own arguments.
 */
export async function startGateway(
  config: object | string,
  env: Record<string, string> = {},
  command = fromSource,
): Promise<GatewayProcess> {
  const directory = await mkdtemp(join(tmpdir(), "gateway-test-"));
  const path = join(directory, "gateway.yaml");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config, null, 2));
  const child = Bun.spawn([...command, "--config", path], {
    env: { ...process.env, CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  let stderr = "";
  let stdout = "";
  const reading = Promise.all([
    (async () => {
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) stderr += chunk;
    })(),
    (async () => {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) stdout += chunk;
    })(),
  ]);
  const until = async (pattern: RegExp, timeoutMs: number) => {
    const deadline = Date.now() + timeoutMs;
    while (!pattern.test(stderr) && child.exitCode === null && Date.now() < deadline)
      await Bun.sleep(5);
    if (!pattern.test(stderr)) throw new Error(`no ${pattern} in stderr:\n${stderr}`);
  };
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    const code = await child.exited;
    await reading;
    await rm(directory, { recursive: true, force: true });
    return code;
  };
  try {
    await until(/listening on (\S+)/, bootTimeoutMs);
  } catch (error) {
    await stop("SIGKILL");
    throw error;
  }
  const audit = (evt: string) => auditRecords(stderr, evt);
  return {
    url: (/listening on (\S+)/.exec(stderr)?.[1] ?? "").replace("127.0.0.1", "localhost"),
    pid: child.pid,
    stderr: () => stderr,
    stdout: () => stdout,
    audit,
    async audited(evt, fields) {
      const matches = (event: AuditRecord) =>
        Object.entries(fields).every(([name, value]) => Bun.deepEquals(event[name], value));
      const deadline = Date.now() + logTimeoutMs;
      while (!audit(evt).some(matches)) {
        if (Date.now() > deadline)
          throw new Error(`no ${evt} with ${JSON.stringify(fields)} in stderr:\n${stderr}`);
        await Bun.sleep(5);
      }
    },
    waitForLog: (pattern) => until(pattern, logTimeoutMs),
    stop,
  };
}

/** The audit events of one kind among the whole lines of a gateway's stderr. */
export function auditRecords(stderr: string, evt: string): AuditRecord[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as AuditRecord)
    .filter((event) => event.evt === evt);
}

/** A TCP port that was free a moment ago, for configurations that name their own URL. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
