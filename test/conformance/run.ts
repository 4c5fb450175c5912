// `bun run test:conformance [area | area/case-glob …] [--verbose]`: the black-box suite against the built executable, judged
// by ratchet.ts. Without the suite it says so and succeeds. CONFORMANCE_TARGET names another command line with `{config}`,
// or `ref` for the suite's own reference.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import differences from "../conformance-differences.json";
import pending from "../conformance-pending.json";
import { areas } from "./areas.ts";
import { type CaseResult, judge } from "./ratchet.ts";
import { findSuite, missingTools, openSuite } from "./suite.ts";

const root = join(import.meta.dir, "..", "..");
/** More unexpected failures than this in one area are no accident of timing. */
const secondTriesMax = 3;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { verbose: { type: "boolean", default: false } },
});

process.exit(await main());

/** @returns the exit code: 0 all as expected (or no suite here), 1 not, 2 the suite is here and cannot be run. */
async function main(): Promise<number> {
  const source = findSuite(root);
  if (source === undefined) {
    console.log(
      "conformance: skipped, no suite beside this checkout (CONFORMANCE_DIR names another place)",
    );
    return 0;
  }
  const missing = missingTools();
  if (missing.length > 0) {
    console.log(`conformance: cannot run, this machine lacks ${missing.join(", ")}`);
    return 2;
  }
  const executable = join(root, "dist", "claude-gateway");
  const target = process.env["CONFORMANCE_TARGET"] ?? `cmd:${executable} --config {config}`;
  if (process.env["CONFORMANCE_TARGET"] === undefined && !existsSync(executable)) {
    console.log("conformance: cannot run, dist/claude-gateway is missing: bun run build");
    return 2;
  }

  const selected = positionals.length > 0 ? positionals : areas;
  const differencesFile = join(root, "test", "conformance-differences.json");
  const results: CaseResult[] = [];
  const suite = await openSuite(source);
  try {
    for (const only of selected) {
      const started = performance.now();
      const found = await suite.run(only, {
        target,
        differences: differencesFile,
        verbose: values.verbose,
      });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`  ${only}: ${found.length} cases in ${seconds} s`);
      results.push(
        ...(await secondTry(found, (name) =>
          suite.run(name, { target, differences: differencesFile, verbose: false }),
        )),
      );
    }
  } finally {
    await suite.close();
  }
  // What is listed for areas that this run leaves out says nothing about it.
  const whole = selected.filter((only) => !only.includes("/") && !only.includes("*"));
  const verdict = judge(results, { areas: whole, differences, pending });
  for (const failure of verdict.failures) console.log(`FAIL ${failure}`);
  const { passed, pending: later, differ, failures } = verdict;
  console.log(
    `conformance: ${passed} passed, ${later} pending, ${differ} differ, ${failures.length} failed`,
  );
  return failures.length === 0 && results.length > 0 ? 0 : 1;
}

/**
 * Runs cases that failed unexpectedly once more, each alone. The suite reads a gateway's log through a pipe and can take the
 * line of the case before for that of this one; such a case passes when it is by itself, and says here that it did.
 */
async function secondTry(
  found: CaseResult[],
  run: (name: string) => Promise<CaseResult[]>,
): Promise<CaseResult[]> {
  const unexpected = found.filter(({ area, name, ok }) => {
    const listed = `${area}/${name}` in differences || `${area}/${name}` in pending;
    return !ok && !listed && name !== "(setup)";
  });
  if (unexpected.length > secondTriesMax) return found;
  const settled = new Set<CaseResult>();
  for (const failure of unexpected) {
    const name = `${failure.area}/${failure.name}`;
    const again = (await run(name)).find((result) => result.name === failure.name);
    console.log(
      `  ${name}: ${again?.ok === true ? "passed" : "failed"} on the second try, after ${failure.error ?? "failing"}`,
    );
    if (again?.ok === true) settled.add(failure);
  }
  return found.map((result) => (settled.has(result) ? { ...result, ok: true } : result));
}
