// The command line of the benchmark.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type ComparisonName, comparisonNames } from "./comparisons.ts";

export const usage = `usage: bun test/bench/bench.ts [options]
  --binary FILE     the built gateway to measure (default $BENCH_BINARY, then dist/claude-gateway)
  --target COMMAND  any other gateway: a command line with {config} in it
  --postgres URL    an empty database to use, instead of starting PostgreSQL; not with --beside
  --beside COMMAND  another gateway with the same configuration format, to compare with while spend is counted
  --only WHICH      one of the comparisons: ${comparisonNames.join(", ")}
  --quick           fewer and shorter rounds: about a minute, for a first look
  --json FILE       write every figure of every round to FILE
Targets are printed beside the figures. The exit code is 0 whether they are met or not.`;

/** How much is measured. Rounds alternate between the sides of a comparison; a figure is the median over the rounds. */
export type Plan = {
  readonly boots: number;
  readonly bodyRounds: number;
  readonly bodySeconds: number;
  readonly streamRounds: number;
  /** Streams of one round that are still open after this count as failed. */
  readonly streamDeadlineMs: number;
};

export type Options = {
  readonly help: boolean;
  readonly command: string;
  /** Of another gateway; without it nothing is compared with one. */
  readonly besideCommand: string | undefined;
  readonly postgresUrl: string | undefined;
  readonly jsonPath: string | undefined;
  /** The comparisons to make. */
  readonly only: readonly ComparisonName[];
  readonly plan: Plan;
};

const full: Plan = {
  boots: 5,
  bodyRounds: 3,
  bodySeconds: 3,
  streamRounds: 3,
  streamDeadlineMs: 12_000,
};
const quick: Plan = {
  boots: 3,
  bodyRounds: 1,
  bodySeconds: 1,
  streamRounds: 1,
  streamDeadlineMs: 12_000,
};

/** The options, or what is wrong with them. */
export function readOptions(
  argv: readonly string[],
  env: Record<string, string | undefined>,
): Options | { wrong: string } {
  const values = parse(argv);
  if (values instanceof Error) return { wrong: values.message };
  const binary = resolve(values.binary ?? env.BENCH_BINARY ?? "dist/claude-gateway");
  const command = values.target ?? `'${binary}' --config {config}`;
  if (![command, values.beside ?? command].every((line) => line.includes("{config}"))) {
    return { wrong: "--target and --beside need {config} where the path of gateway.yaml belongs" };
  }
  const only = comparisonNames.filter((name) => values.only === undefined || values.only === name);
  if (only.length === 0) return { wrong: `--only takes one of ${comparisonNames.join(", ")}` };
  if (values.only === "spend-other" && values.beside === undefined)
    return { wrong: "--only spend-other needs --beside" };
  return {
    help: values.help,
    command,
    besideCommand: values.beside,
    postgresUrl: values.postgres,
    jsonPath: values.json,
    only: only.filter((name) => name !== "spend-other" || values.beside !== undefined),
    plan: values.quick ? quick : full,
  };
}

function parse(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        binary: { type: "string" },
        target: { type: "string" },
        beside: { type: "string" },
        postgres: { type: "string" },
        only: { type: "string" },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    if (error instanceof TypeError) return error;
    throw error;
  }
}
