// `bun run bench`: the built gateway beside nginx as plain reverse proxy, and in front of Amazon Bedrock beside in front of
// Anthropic, in one run on one machine. Both sides stand before the same upstream and are measured in turns, so that what
// else the machine does touches both. This file is the order of things and what is closed at the end; what is measured is in
// comparisons.ts, how often in rounds.ts, processes are in processes.ts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type Comparison, comparisons, conditions, type Contender } from "./comparisons.ts";
import { smallBody, stream, streamBody } from "./comparisons.ts";
import { mintBearer, prepareGateway, type Provider } from "./gateway.ts";
import { requireAnswers } from "./measure.ts";
import { type Options, type Plan, readOptions, usage } from "./options.ts";
import { endAll, executableBytes, keep, memoryBytes, type Server } from "./processes.ts";
import { each, type Rounds, type Row, row, sides, table } from "./report.ts";
import { requestHeaders } from "./requests.ts";
import { failures, type Measured, measureBodies, measureBoots, measureStreams } from "./rounds.ts";
import { findTools, nginxStarter, type Tools, toolVersions } from "./tools.ts";

/** The whole run, in milliseconds. A gateway that hangs ends here. */
const runMaxMs = 600_000;
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
  const upstreamPort = await startBeside("upstream.ts", JSON.stringify(stream));
  const collectorPort = await startBeside("collector.ts");
  const { command, besideCommand = command } = options;
  const postgresUrl = options.postgresUrl ?? (await freshDatabase(beside));
  const gatewayStarter = (
    name: string,
    of: {
      provider: Provider;
      spend: boolean;
      command: string;
      postgresUrl: string;
      collectorPort?: number;
    },
  ) => {
    const gateway = prepareGateway({ name, directory, upstreamPort, ...of });
    beside.push(gateway.close);
    return gateway.start;
  };
  const own = { provider: "anthropic", spend: false, command, postgresUrl } as const;
  // Two gateways do not share a database while they are compared.
  const besideUrl = options.besideCommand === undefined ? postgresUrl : await freshDatabase(beside);
  const starters: Record<Contender, () => Promise<Server>> = {
    nginx: nginxStarter(tools, directory, upstreamPort),
    anthropic: gatewayStarter("anthropic", own),
    bedrock: gatewayStarter("bedrock", { ...own, provider: "bedrock" }),
    spend: gatewayStarter("spend", { ...own, spend: true }),
    telemetry: gatewayStarter("telemetry", { ...own, spend: true, collectorPort }),
    other: gatewayStarter("other", {
      ...own,
      spend: true,
      command: besideCommand,
      postgresUrl: besideUrl,
    }),
  };
  const described = options.command.replaceAll(process.cwd(), ".");
  const machine = `${cpus()[0]?.model ?? arch()}, ${cpus().length} cores`;
  const versions = [`Bun ${Bun.version}`, ...(await toolVersions(tools))];
  console.log(`${described}\n${machine}; ${versions.join(", ")}\n${conditions}`);

  const headers = requestHeaders(await mintBearer());
  const measured = [];
  for (const name of options.only) {
    const { title, names } = comparisons[name];
    const { rows, loads, boots } = await measure(comparisons[name], starters, options.plan, {
      tools,
      directory,
      headers,
    });
    console.log(`\n${title}\n\n${table(rows, names)}`);
    for (const line of loads.flatMap((load) => failures(load, names))) console.log(line);
    const ofLoads = loads.map((load) => ({ name: load.name, rounds: load.rounds }));
    const rounds = [...ofLoads, { name: "boot", rounds: boots }];
    measured.push({ title, names, rows, rounds });
  }
  if (options.jsonPath === undefined) return;
  const run = { at: new Date().toISOString(), described, machine, versions, plan: options.plan };
  const json = JSON.stringify({ ...run, comparisons: measured }, null, 2);
  writeFileSync(options.jsonPath, `${json}\n`);
}

/** All of one comparison, by servers of its own. */
async function measure(
  comparison: Comparison,
  starters: Record<Contender, () => Promise<Server>>,
  plan: Plan,
  load: { tools: Tools; directory: string; headers: Record<string, string> },
): Promise<{ rows: Row[]; loads: Measured[]; boots: Rounds<number> }> {
  const { contenders, bodies, streams, warmUp, rest, boot } = comparison;
  const { tools, headers } = load;
  const start = each((side) => starters[contenders[side]]);
  const boots = await measureBoots(start, plan);
  const servers = { base: await start.base(), gateway: await start.gateway() };
  await Bun.sleep(settleMs);
  const atRest = each((side) => [memoryBytes(servers[side].pid).now]);
  const samples = { json: smallBody, stream: streamBody, headers };
  for (const side of sides) await requireAnswers(servers[side], samples);
  const loads = [
    ...(await measureBodies(tools, servers, bodies, plan, load)),
    ...(await measureStreams(servers, { measured: streams, warmUp }, plan, headers)),
  ];
  const peak = each((side) => [memoryBytes(servers[side].pid).peak]);
  const size = each((side) => [executableBytes(servers[side].pid)]);
  for (const side of sides) await servers[side].stop();
  const rows = [
    ...loads.flatMap((measured) => measured.rows),
    row("process", "RSS at rest", "MB", megabytes(atRest), rest),
    row("process", "RSS, peak of the run", "MB", megabytes(peak)),
    row("process", "boot to listening", "ms", boots, boot),
    row("process", "binary", "MB", megabytes(size)),
  ];
  return { rows, loads, boots };
}

/** Starts the upstream and resolves with its port. */
/** Starts one of this folder's servers, which prints its port. */
async function startBeside(script: string, ...argument: string[]): Promise<number> {
  const argv = [process.execPath, join(import.meta.dir, script), ...argument];
  const child = keep(Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "inherit" }));
  const first = await child.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(first.value));
  if (!Number.isInteger(port) || port === 0) throw new Error(`${script} did not start`);
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
