// `bun run bench`: the built gateway beside nginx as plain reverse proxy, in one run on one machine. Both stand before
// the same upstream and are measured in turns, so that what else the machine does touches both. This file is the order
// of things and what is closed at the end; what is measured is in rounds.ts, processes are in processes.ts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { prepareGateway } from "./gateway.ts";
import { requireAnswers } from "./measure.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { endAll, executableBytes, keep, memoryBytes, type Server } from "./processes.ts";
import { each, type Rounds, row, type Side, sides, table } from "./report.ts";
import { requestHeaders } from "./requests.ts";
import { failures, measureBodies, measureBoots, measureStreams } from "./rounds.ts";
import { conditions, processTargets, smallBody, stream, streamBody } from "./rounds.ts";
import { findTools, nginxStarter, type Tools, toolVersions } from "./tools.ts";

/** The whole run, in milliseconds. A gateway that hangs ends here. */
const runMaxMs = 300_000;
/** Between the boot and the look at the memory at rest, in milliseconds. */
const settleMs = 1_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if ("wrong" in options) {
    console.error(`${options.wrong}\n${usage}`);
    return 2;
  }
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const tools = findTools();
  if ("missing" in tools) {
    console.error(tools.missing);
    return 2;
  }
  const directory = mkdtempSync(join(tmpdir(), "gateway-bench-"));
  const beside: Array<() => Promise<void>> = [];
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(directory, beside));
  const leave = (code: number) => void close().finally(() => process.exit(code));
  process.once("SIGINT", () => leave(130)).once("SIGTERM", () => leave(143));
  const timer = setTimeout(() => {
    console.error(`not done after ${runMaxMs / 1000} s, giving up`);
    leave(1);
  }, runMaxMs);
  try {
    await compare(options, tools, directory, beside);
    return 0;
  } catch (error) {
    // While ending, what failed failed because its process was ended.
    if (closing === undefined) console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    clearTimeout(timer);
    await close();
  }
}

/** Servers first, then what they lean on, then their files. */
async function closeAll(directory: string, beside: Array<() => Promise<void>>): Promise<void> {
  await endAll();
  for (const closer of beside) await closer();
  rmSync(directory, { recursive: true, force: true });
}

/** @param beside gets what must be closed at the end and is no process of ours. */
async function compare(
  options: Options,
  tools: Tools,
  directory: string,
  beside: Array<() => Promise<void>>,
): Promise<void> {
  const upstreamPort = await startUpstream();
  const postgresUrl = options.postgresUrl ?? (await freshDatabase(beside));
  const gateway = await prepareGateway({
    command: options.command,
    directory,
    upstreamPort,
    postgresUrl,
  });
  beside.push(gateway.close);
  const headers = requestHeaders(gateway.bearer);
  const start: Record<Side, () => Promise<Server>> = {
    nginx: nginxStarter(tools, directory, upstreamPort),
    gateway: gateway.start,
  };
  const machine = `${cpus()[0]?.model ?? arch()}, ${cpus().length} cores`;
  const versions = [`Bun ${Bun.version}`, ...(await toolVersions(tools))];
  console.log(`${gateway.described}\n${machine}; ${versions.join(", ")}\n${conditions}`);

  const boots = await measureBoots(start, options.plan);
  const servers = { nginx: await start.nginx(), gateway: await start.gateway() };
  await Bun.sleep(settleMs);
  const rest = each((side) => [memoryBytes(servers[side].pid).now]);
  const samples = { json: smallBody, stream: streamBody, headers };
  for (const side of sides) await requireAnswers(servers[side], samples);
  const loads = [
    ...(await measureBodies(tools, servers, options.plan, { headers, directory })),
    ...(await measureStreams(servers, options.plan, headers)),
  ];
  const peak = each((side) => [memoryBytes(servers[side].pid).peak]);
  const size = each((side) => [executableBytes(servers[side].pid)]);

  const rows = [
    ...loads.flatMap((load) => load.rows),
    row("process", "RSS at rest", "MB", megabytes(rest), processTargets.restMegabytes),
    row("process", "RSS, peak of the run", "MB", megabytes(peak)),
    row("process", "boot to listening", "ms", boots, processTargets.bootMs),
    row("process", "binary", "MB", megabytes(size)),
  ];
  console.log(`\n${table(rows)}`);
  for (const line of loads.flatMap(failures)) console.log(line);
  if (options.jsonPath === undefined) return;
  const { described } = gateway;
  const rounds = [
    ...loads.map((load) => ({ name: load.name, rounds: load.rounds })),
    { name: "boot", rounds: boots },
  ];
  const run = { at: new Date().toISOString(), described, machine, versions, plan: options.plan };
  writeFileSync(options.jsonPath, `${JSON.stringify({ ...run, rows, rounds }, null, 2)}\n`);
}

/** Starts the upstream and resolves with its port. */
async function startUpstream(): Promise<number> {
  const argument = JSON.stringify(stream);
  const argv = [process.execPath, join(import.meta.dir, "upstream.ts"), argument];
  const child = keep(Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "inherit" }));
  const first = await child.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(first.value));
  if (!Number.isInteger(port) || port === 0) throw new Error("the upstream did not start");
  return port;
}

async function freshDatabase(beside: Array<() => Promise<void>>): Promise<string> {
  const { startPostgres } = await import("../support/postgres.ts");
  const starting = startPostgres();
  beside.push(async () => (await starting).stop());
  return (await starting).createDatabase();
}

function megabytes(bytes: Rounds<number>): Rounds<number> {
  return each((side) => bytes[side].map((count) => count / 1_000_000));
}
