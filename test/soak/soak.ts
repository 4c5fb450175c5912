// `bun run test:soak`: two gateways under mixed load while one thing after the other around them fails. Nothing may fail for a
// developer that the fault of that moment does not explain, every cent must be in the database, and what a gateway holds of
// memory, descriptors and connections must be back where it began. This file is the order of things; the load is in load.ts,
// what fails in faults.ts, what is counted in tally.ts, and what stands around the gateways in world.ts.
import { parseArgs } from "node:util";
import { numbersFrom } from "../support/seeded-numbers.ts";
import { createFaults } from "./faults.ts";
import { startLoad } from "./load.ts";
import { type Held, heldBy } from "./resources.ts";
import { createTally } from "./tally.ts";
import { openWorld, type World } from "./world.ts";

const usage = `usage: bun test/soak/soak.ts [--minutes 30] [--seed NUMBER] [--binary FILE]
Needs the built executable (bun run build). The exit code is 0 when nothing is left to explain.`;

/** Load without faults at the beginning, and rest before each look at what a gateway holds, in milliseconds. */
const warmUpMs = 20_000;
const restMs = 20_000;

/** How long idle connections may be kept, in milliseconds: the gateway's own bound on silence, and a rest. */
const keptAliveMs = 255_000 + 45_000;

/** Growth that is none: the allocator's, and what is kept for everybody who was ever seen. */
const residentGrowthMax = 64 * 1024 * 1024;
const descriptorGrowthMax = 8;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      binary: { type: "string", default: "dist/claude-gateway" },
      help: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (values.help || !(minutes > 0)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const world = await openWorld(values.binary);
  try {
    console.log(`${minutes} minutes, --seed ${values.seed}`);
    return await soak(world, minutes * 60_000, numbersFrom(Number(values.seed)));
  } finally {
    await world.close();
  }
}

async function soak(world: World, durationMs: number, random: () => number): Promise<number> {
  const tally = createTally();
  const faults = createFaults(world, tally, random);
  const pauseOf = async (ms: number) => {
    await Bun.sleep(ms);
    return heldBy(world.steady.pid);
  };

  const warming = startLoad(world, tally, random);
  await Bun.sleep(warmUpMs);
  await warming.stop();
  const before = await pauseOf(restMs);

  const load = startLoad(world, tally, random);
  const endsAt = Date.now() + durationMs;
  while (Date.now() < endsAt) await faults.next();
  await faults.healed();
  await load.stop();
  let after = await pauseOf(restMs);
  // Connections that are kept for the next request close by themselves, on either side.
  const keptUntil = Date.now() + keptAliveMs;
  while (growth(before, after).length > 0 && Date.now() < keptUntil) after = await pauseOf(restMs);

  const wrong = [
    ...tally.unexplained(),
    ...(await world.spendErrors(tally.spent())),
    ...growth(before, after),
    ...world.crashes(),
  ];
  console.log(tally.table());
  console.log(`gateway that ran throughout: ${written(before)} -> ${written(after)}`);
  for (const line of wrong) console.log(`WRONG ${line}`);
  console.log(wrong.length === 0 ? "soak passed" : `soak failed: ${wrong.length}`);
  return wrong.length === 0 ? 0 : 1;
}

function growth(before: Held, after: Held): string[] {
  const wrong: string[] = [];
  if (after.residentBytes > before.residentBytes + residentGrowthMax) {
    wrong.push(`memory grew: ${written(before)} -> ${written(after)}`);
  }
  for (const what of ["descriptors", "connections", "threads"] as const) {
    if (after[what] > before[what] + descriptorGrowthMax) {
      wrong.push(`${what} grew from ${before[what]} to ${after[what]}`);
    }
  }
  return wrong;
}

function written({ residentBytes, descriptors, connections, threads }: Held): string {
  const megabytes = Math.round(residentBytes / 1024 / 1024);
  return `${megabytes} MB, ${descriptors} descriptors, ${connections} connections, ${threads} threads`;
}
