// The command line, as it is written → what was asked for. Nothing is done here; commands are carried out in main.ts.
import { parseArgs } from "node:util";

/** What the command line asks for. Paths are as given. */
export type Command =
  | { name: "help" | "version" | "demo" }
  | { name: "serve" | "check"; config: string }
  | { name: "health"; config: string | undefined }
  | ({ name: "explain"; config: string } & ExplainOptions);

export type ExplainOptions = {
  email: string | undefined;
  groups: readonly string[];
  model: string | undefined;
  json: boolean;
  showValues: boolean;
};

/** A command line that makes no sense; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const options = {
  config: { type: "string" },
  help: { type: "boolean" },
  version: { type: "boolean" },
  email: { type: "string" },
  groups: { type: "string", multiple: true },
  group: { type: "string", multiple: true },
  model: { type: "string" },
  json: { type: "boolean" },
  "show-values": { type: "boolean" },
} as const;

const ofExplain = ["email", "groups", "group", "model", "json", "show-values"] as const;

/** @throws UsageError */
export function readArguments(argv: readonly string[]): Command {
  const { values, positionals } = parsed(argv);
  if (values.help === true) return { name: "help" };
  if (values.version === true) return { name: "version" };
  const [name = "serve", ...rest] = positionals;
  if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(" ")}`);
  const stray = ofExplain.find((option) => values[option] !== undefined);
  if (name !== "explain" && stray !== undefined)
    throw new UsageError(`--${stray} belongs to claude-gateway explain`);
  switch (name) {
    case "serve":
    case "check":
      return { name, config: required(values.config) };
    case "health":
      return { name, config: values.config };
    case "demo":
      return { name };
    case "explain":
      return {
        name,
        config: required(values.config),
        email: notBlank("email", values.email),
        groups: [...listed(values.groups), ...(values.group ?? []).filter((group) => group !== "")],
        model: notBlank("model", values.model),
        json: values.json === true,
        showValues: values["show-values"] === true,
      };
    default:
      throw new UsageError(`unknown command ${name}`);
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function required(path: string | undefined): string {
  if (path === undefined)
    throw new UsageError("--config FILE is required; --help lists the commands");
  return path;
}

/** Lists with commas, blanks around a group and empty places left out; `--group` takes one group as it is spelled. */
function listed(lists: readonly string[] = []): string[] {
  return lists
    .flatMap((list) => list.split(","))
    .map((group) => group.trim())
    .filter((group) => group !== "");
}

function notBlank(option: string, value: string | undefined): string | undefined {
  if (value?.trim() === "") throw new UsageError(`--${option} is empty`);
  return value;
}
