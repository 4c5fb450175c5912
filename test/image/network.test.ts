// Whom the executable talks to: in a network namespace that has nothing but a loopback it signs in, serves every provider, exports
// and stops, under strace, and goes nowhere but to what its configuration names. Needs root and strace; without them the tests are
// skipped and say so.
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cannotWatch, type Seen } from "./addresses.ts";
import type { Day, Work } from "./days-work.ts";
import { executable } from "./executable.ts";

const reason = cannotWatch();
if (reason !== undefined) console.log(`network: skipped, ${reason}`);

/** Where instances of AWS, Google and Azure, and containers of AWS, find their credentials. */
const metadata =
  /^(169\.254\.169\.254|169\.254\.170\.\d+|\[fd00:ec2::(254|23)\]|\[fd20:ce::254\]):/;

describe.skipIf(reason !== undefined)("the executable in a network of its own", () => {
  let day: Day;

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), "gateway-network-"));
    const script = join(import.meta.dir, "days-work.ts");
    const run = Bun.spawn(
      ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"].concat([
        process.execPath,
        script,
        await executable(),
        directory,
      ]),
      { stdout: "pipe", stderr: "pipe" },
    );
    const [stdout, stderr] = await Promise.all([run.stdout.text(), run.stderr.text()]);
    if ((await run.exited) !== 0) throw new Error(stderr);
    day = JSON.parse(stdout) as Day;
    await rm(directory, { recursive: true });
  }, 120_000);

  /** What is neither on this machine and configured, nor how names are looked up. */
  const elsewhere = ({ seen, configured, listening }: Work): Seen[] =>
    seen.filter(({ call, on }) => {
      if (call === "bind") return on !== `127.0.0.1:${listening}`;
      const [, local] = /^(?:127\.0\.0\.1|\[::1\]):(\d+)$/.exec(on) ?? [];
      if (local !== undefined) return !configured.includes(local);
      return !day.resolvers.includes(on) && !on.includes("/nscd/socket");
    });

  test("does its work with every provider, and is seen to connect to each place that is configured", () => {
    const { statuses, seen, configured } = day.works.all;
    expect(statuses).toEqual([...statuses.slice(1).map(() => 200), 0]);
    const reached = seen.flatMap(({ call, on }) =>
      call === "connect" ? (on.split(":").at(-1) ?? "") : [],
    );
    // The scene's own upstream is not in this configuration.
    const [store, idp, , upstreams, collector] = configured;
    expect(reached).toEqual(expect.arrayContaining([store, idp, upstreams, collector]));
  });

  test("connects to nothing else, listens on nothing else, and looks no name up", () => {
    expect(elsewhere(day.works.all)).toEqual([]);
    expect(day.works.all.seen.filter(({ on }) => day.resolvers.includes(on))).toEqual([]);
  });

  test("asks the machine's metadata for credentials only where they are left to AWS's chain", () => {
    const { chain, all, nowhere } = day.works;
    expect(elsewhere(chain).length).toBeGreaterThan(0);
    expect(elsewhere(chain).filter(({ on }) => !metadata.test(on))).toEqual([]);
    for (const { seen } of [all, nowhere])
      expect(seen.filter(({ on }) => metadata.test(on))).toEqual([]);
  });

  test("asks the resolver, and nobody else, for a name that nobody knows", () => {
    const { statuses, seen } = day.works.nowhere;
    expect(statuses).toEqual([502, 0]);
    expect(elsewhere(day.works.nowhere)).toEqual([]);
    expect(seen.some(({ on }) => day.resolvers.includes(on))).toBe(true);
  });
});
