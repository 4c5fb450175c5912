// What fails around the gateways of the soak, one thing at a time, for some seconds each; and which requests each may touch. A
// fault that touches nothing must not be noticed by anybody.
import { readdirSync, readFileSync } from "node:fs";
import type { Fault, Kind, Tally } from "./tally.ts";
import { brokenAtOnce, brokenLater, inTime } from "./upstream-answers.ts";
import type { World } from "./world.ts";

type Trouble = Fault & { run: () => Promise<void> };

/** How long a fault lasts, and the rest after it, in milliseconds. */
const lastsMs = 6_000;
const restMs = 4_000;

/** All that needs the database of the moment. Inference does not. */
const needDatabase: readonly Kind[] = ["sign-in", "sign-out", "admin", "read"];
const needProvider: readonly Kind[] = ["sign-in", "sign-out", "refresh"];
const inference: readonly Kind[] = ["whole", "stream"];

export function createFaults(world: World, tally: Tally, random: () => number) {
  const { postgres, idp, collector, upstreams } = world;
  const troubles: Trouble[] = [
    trouble("the database is restarted", needDatabase, async () => {
      await postgres.crash();
      await postgres.restart();
    }),
    trouble("the database is away", needDatabase, async () => {
      await postgres.crash();
      await Bun.sleep(lastsMs);
      await postgres.restart();
    }),
    trouble("the database stalls", needDatabase, () => stalled(postgres.url)),
    trouble("the database is read-only", needDatabase, () => readOnly(world)),
    trouble("the IdP answers 500", needProvider, () =>
      bent({ tokenAnswer: () => new Response("down", { status: 500 }) }),
    ),
    trouble("the IdP does not answer", needProvider, () =>
      bent({ tokenAnswer: () => new Promise<Response>(() => undefined) }),
    ),
    trouble("the IdP's key is rotated", [], () => idp.rotateKey()),
    trouble("the collector does not answer", [], () =>
      collecting(() => new Promise<Response>(() => undefined)),
    ),
    trouble("the collector answers 500", [], () =>
      collecting(() => new Response("down", { status: 500 })),
    ),
    // Who is half-way through several requests finds it gone.
    trouble("a gateway is told to stop", ["sign-in", "sign-out", "junk"], () =>
      world.restartOther("SIGTERM"),
    ),
    // What it had under way is lost to its developers, and told to the tally by the load.
    trouble(
      "a gateway is killed",
      [...inference, ...needDatabase, ...needProvider, "telemetry", "junk", "abort", "stuck"],
      () => world.restartOther("SIGKILL"),
    ),
    ...Object.entries(brokenAtOnce).map(([how, answer]) =>
      trouble(`the first upstream ${how}`, [], () => answering(answer)),
    ),
    ...Object.entries(brokenLater).map(([how, answer]) =>
      trouble(`the first upstream ${how}`, inference, () => answering(answer)),
    ),
  ];
  let left: Trouble[] = [];

  async function bent(bend: Partial<World["idp"]["bend"]>): Promise<void> {
    Object.assign(idp.bend, bend);
    await Bun.sleep(lastsMs);
    idp.straighten();
  }

  async function collecting(answer: World["collector"]["answer"]): Promise<void> {
    collector.answer = answer;
    await Bun.sleep(lastsMs);
    collector.answer = () => Response.json({});
  }

  async function answering(answer: typeof inTime): Promise<void> {
    upstreams.first.answer = answer;
    await Bun.sleep(lastsMs);
    upstreams.first.answer = inTime;
  }

  return {
    /** The next fault, from its beginning to the rest after it. Each comes once before any comes again. */
    async next(): Promise<void> {
      if (left.length === 0) left = shuffled(troubles, random);
      const one = left.pop();
      if (one === undefined) return;
      const over = tally.begin(one);
      console.log(`${new Date().toISOString()} ${one.name}`);
      await one.run();
      over();
      await Bun.sleep(restMs);
    },
    /** Resolves when nothing fails any more and gateways had time to notice. */
    healed: () => Bun.sleep(2 * restMs),
  };
}

function trouble(name: string, touches: readonly Kind[], run: () => Promise<void>): Trouble {
  return { name, touches: new Set(touches), run };
}

/** Stops every process of the database for a while: it takes connections and says nothing. */
async function stalled(url: string): Promise<void> {
  const pids = serverProcesses(Number(new URL(url).port));
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  try {
    await Bun.sleep(lastsMs);
  } finally {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  }
}

async function readOnly(world: World): Promise<void> {
  await world.administer("alter system set default_transaction_read_only = on");
  await Bun.sleep(lastsMs);
  // ALTER SYSTEM writes no table, so that the setting does not stand in the way of its own undoing.
  await world.administer("alter system reset default_transaction_read_only");
}

/** The server that listens on a port, and its children. */
function serverProcesses(port: number): number[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), ...statusOf(name) }));
  const server = all.find(({ command }) => command.includes(`port=${port}`));
  if (server === undefined) throw new Error(`no PostgreSQL on port ${port}`);
  return [server.pid, ...all.filter(({ parent }) => parent === server.pid).map(({ pid }) => pid)];
}

function statusOf(pid: string): { command: string; parent: number } {
  try {
    return {
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8"),
      parent: Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]),
    };
  } catch {
    return { command: "", parent: 0 };
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
