// The executable: what each command does, and the process around it: signals, faults that nobody caught, exit code. The command
// line is read in arguments.ts, the runtime settled in runtime.ts, booting is boot.ts, the routes are gateway.ts.
import { closeSync, openSync, readSync } from "node:fs";
import { version as packageVersion } from "../package.json";
import { type ExplainOptions, readArguments, UsageError } from "./arguments.ts";
import { bootGateway, type BootOptions, type RunningGateway, warningsOf } from "./boot.ts";
import { loadConfig } from "./config/load.ts";
import { priceKeyOf } from "./models/price-overrides.ts";
import { explain } from "./policy/explain/explain.ts";
import { explanationText } from "./policy/explain/text.ts";
import { withoutCredentials } from "./upstream/answer/redaction.ts";
import { ConfigError, renderProblems, summarizeProblems } from "./config/problems.ts";
import { runDemo } from "./demo/demo.ts";
import { requestCapDefault, requestCapVariable, settleRuntime } from "./runtime.ts";
import {
  faultOf,
  flushLog,
  log,
  messageOf,
  oneLine,
  printable,
  setLogDescriptor,
  setLogLevel,
  stderr,
  writeLine,
} from "./log.ts";

declare const CLAUDE_GATEWAY_VERSION: string | undefined;
const version =
  typeof CLAUDE_GATEWAY_VERSION === "string" ? CLAUDE_GATEWAY_VERSION : packageVersion;

/** Done; could not do it; asked for what does not exist. */
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** Milliseconds that open requests have after SIGTERM, unless CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS says otherwise. */
const drainTimeoutMsDefault = 25_000;
const demoDrainMs = 1_000;
/** Milliseconds that `health` waits for an answer. */
const healthTimeoutMs = 5_000;

/** Milliseconds in which further signals count as the first: a Ctrl-C reaches us directly and through every parent that passes it on. */
const sameSignalMs = 500;

/** Values of listen.host that mean every address of the machine. */
const anyAddress = new Set(["0.0.0.0", "::"]);

/** Longest file read: a configuration, a certificate, a secret. Also the bound of a device or pipe that never ends. */
const fileBytesMax = 4 * 1024 * 1024;

const usage = `claude-gateway ${version}

  claude-gateway --config gateway.yaml         serve
  claude-gateway check --config gateway.yaml   validate the configuration; contacts nothing
  claude-gateway explain --config gateway.yaml what somebody is served, and why; contacts nothing
      [--email E] [--groups a,b] [--group 'a, b'] [--model M] [--json] [--show-values]
  claude-gateway health [--config FILE]        ask the gateway on this machine whether it is alive
  claude-gateway demo                          try it: loopback only, no account needed
  claude-gateway --version | --help

Environment: CLAUDE_GATEWAY_LOG_LEVEL (debug, info, warn, error), CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS (${drainTimeoutMsDefault}),
CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 (identity provider and upstreams on this machine), ${requestCapVariable} (${requestCapDefault}).
`;

async function main(argv: string[]): Promise<number> {
  setLogLevel(process.env.CLAUDE_GATEWAY_LOG_LEVEL);
  // What nobody awaited or caught is a bug, of ours or of a library; the other developers' streams need not die of it.
  for (const event of ["unhandledRejection", "uncaughtException"] as const)
    process.on(event, (fault) => tellFault(event, fault));
  let file = "gateway.yaml";
  try {
    const command = readArguments(argv);
    if ("config" in command) file = command.config ?? file;
    switch (command.name) {
      case "help":
        return await print(usage);
      case "version":
        return await print(`${version}\n`);
      case "serve":
        return await serve(command.config);
      case "check":
        return await check(command.config);
      case "explain":
        return await explained(command.config, command);
      case "health":
        return await health(command.config);
      case "demo":
        return await demo();
    }
  } catch (error) {
    setLogDescriptor(stderr);
    for (const line of describe(error, file)) writeLine(line);
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  }
}

async function serve(path: string): Promise<number> {
  await settleRuntime();
  const gateway = await bootGateway(readTextFile(path), path, bootOptions());
  const signal = await firstSignal();
  const drainMs = drainTimeoutMs();
  log.info(
    `${signal} received: shutting down. Refusing new connections; open requests get up to ${drainMs / 1000}s to finish ` +
      "(set by CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS)",
  );
  await stop(gateway, drainMs);
  return exitCodes.ok;
}

async function stop(gateway: RunningGateway, drainMs: number): Promise<void> {
  const cut = await gateway.stop(drainMs);
  if (cut === 0) log.info("shutdown complete: every open request finished, none was cut");
  else log.warn(`drain window over after ${drainMs / 1000}s: cut ${cut} request(s) still open`);
}

async function check(path: string): Promise<number> {
  const loaded = loadConfig(readTextFile(path), bootOptions());
  for (const warning of warningsOf(loaded)) writeLine(`warning: ${oneLine(warning)}`);
  return print(`${printable(path)} is valid\n`);
}

/** A refused model is an answer, too: 0 says that it was explained, `allowed` of the JSON what. */
async function explained(
  path: string,
  { email, groups, json, ...asked }: ExplainOptions,
): Promise<number> {
  const loaded = loadConfig(readTextFile(path), bootOptions());
  const explanation = explain(loaded, { email, groups }, asked);
  return print(json ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation));
}

/** Asks /healthz, for a container's health check. Where to: from the configuration, or the default port. */
async function health(path: string | undefined): Promise<number> {
  const listening =
    path === undefined ? undefined : loadConfig(readTextFile(path), bootOptions()).config.listen;
  const scheme = listening?.tls === undefined ? "http" : "https";
  const host =
    listening === undefined || anyAddress.has(listening.host) ? "127.0.0.1" : listening.host;
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${listening?.port ?? 8080}/healthz`;
  const response = await fetch(url, {
    signal: AbortSignal.timeout(healthTimeoutMs),
    // This machine, whatever proxy the environment names.
    proxy: false,
    redirect: "manual",
    // The certificate names the public host, not this loopback connection.
    tls: { rejectUnauthorized: false },
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return print("ok\n");
}

async function demo(): Promise<number> {
  await settleRuntime();
  const ended = new AbortController();
  void firstSignal().then(() => ended.abort());
  await runDemo({
    startGateway: async (text, configFile, logFile) => {
      setLogDescriptor(openSync(logFile, "a", 0o600));
      const env = { ...process.env, CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" };
      const gateway = await bootGateway(text, configFile, { ...bootOptions(), env });
      return { stop: () => stop(gateway, demoDrainMs) };
    },
    env: process.env,
    stdout: (text) => process.stdout.write(text),
    signal: ended.signal,
  });
  return exitCodes.ok;
}

/** Its message may quote what it was about (JSON.parse does): at the default level the class says what, its place where. */
function tellFault(event: string, fault: unknown): void {
  log.error(`${event}: ${faultOf(fault)} (its message is logged at debug level)`);
  log.debug(`${event}: ${withoutCredentials(messageOf(fault))}`);
}

function bootOptions(): BootOptions {
  return {
    env: process.env,
    readFile: readTextFile,
    modelKeyOf: priceKeyOf,
    version,
    openRequestsMax: Number(process.env[requestCapVariable]),
    now: Date.now,
  };
}

/** Resolves with the first SIGTERM or SIGINT; from then on, another one ends the process at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      if (firstAt === undefined) {
        firstAt = Date.now();
        resolve(signal);
      } else if (Date.now() - firstAt > sameSignalMs) {
        flushLog();
        process.exit(exitCodes.failed);
      }
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function drainTimeoutMs(): number {
  const asked = process.env.CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS ?? "";
  return /^[1-9]\d{0,8}$/.test(asked) ? Number(asked) : drainTimeoutMsDefault;
}

function readTextFile(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(fileBytesMax + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > fileBytesMax) throw new Error(`${path} is longer than ${fileBytesMax} bytes`);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}

/** What went wrong, for a person: every problem of a configuration, and a last line that names the first. */
function describe(error: unknown, file: string): string[] {
  if (!(error instanceof ConfigError)) return [`claude gateway: ${oneLine(messageOf(error))}`];
  return [
    ...renderProblems(file, error.problems),
    `claude gateway: ${summarizeProblems(file, error.problems)}`,
  ];
}

/** Resolves when all of it is written: a pipe takes an explanation in pieces, and the process exits right after. */
async function print(text: string): Promise<number> {
  await Bun.write(Bun.stdout, text);
  return exitCodes.ok;
}

const exitCode = await main(process.argv.slice(2));
flushLog();
process.exit(exitCode);
