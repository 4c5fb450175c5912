// What is wrong with a configuration, and how a person reads it. Finding the problems is the work of the other files here.
import { printable } from "../log.ts";

/** Where a setting is: `["upstreams", 0, "auth"]`. */
export type Path = readonly (string | number)[];

/** Something wrong, before its place in the file is known. */
export type Finding = { readonly path: Path; readonly message: string };

/** What a rule answers: the finding if it is broken, none if not. */
export function when(broken: boolean, path: Path, message: string): Finding[] {
  return broken ? [{ path, message }] : [];
}

export type ConfigProblem = {
  /** As in `upstreams[0].auth`; empty when the problem is the file's as a whole. */
  path: string;
  /** Counted from 1. `undefined` when nothing in the file is to blame, as for a section that is not there. */
  line: number | undefined;
  column: number | undefined;
  message: string;
};

/** The file cannot be used. Holds every problem found, in the order of the file; `message` is the text to print. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(renderProblems("config", problems).join("\n"));
    this.problems = problems;
  }
}

/** One line for each problem: `gateway.yaml:12:5  oidc.isuer: unknown key; did you mean "issuer"?` */
export function renderProblems(fileName: string, problems: readonly ConfigProblem[]): string[] {
  const lines = problems.map((problem) => {
    const place = problem.line === undefined ? "" : `:${problem.line}:${problem.column ?? 1}`;
    return `${fileName}${place}  ${statement(problem)}`;
  });
  return firstOf(lines, (left) => `${fileName}  … and ${left} more`).map(printable);
}

/** Lines printed of one kind for one file; nobody mends more than these before trying again. */
const linesMax = 100;

/** The first lines, and when there are more a last one that says how many are left. */
export function firstOf(lines: readonly string[], more: (left: number) => string): string[] {
  return lines.length > linesMax
    ? [...lines.slice(0, linesMax), more(lines.length - linesMax)]
    : [...lines];
}

/** What the last line says, in short: `gateway.yaml is not valid: 2 problems, first: oidc.isuer: unknown key` */
export function summarizeProblems(fileName: string, problems: readonly ConfigProblem[]): string {
  const [first] = problems;
  if (first === undefined) return `${fileName} is valid`;
  const count = problems.length === 1 ? "" : `${problems.length} problems, first: `;
  const [gist = ""] = statement(first).split(/; | — /, 1); // What follows is advice, and stands in the lines above.
  return printable(`${fileName} is not valid: ${count}${gist}`);
}

/** `listen.tls.key`, `upstreams[0].auth`; a key that is not a plain word is quoted: `oidc["two words"]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) text += `[${quote(step)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** Longest piece of a person's own file that is repeated to them. */
const quotedMax = 60;

/** Text in quotes, cut when long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > quotedMax ? `${text.slice(0, quotedMax)}…` : text);
}

/** Some messages are whole sentences that begin with the setting; they are not given it twice. */
function statement({ path, message }: ConfigProblem): string {
  return path === "" || message.startsWith(path) ? message : `${path}: ${message}`;
}
