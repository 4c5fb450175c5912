// `${VAR}` and `${file:/path}` in the strings of a configuration. The only place that reads the environment or a secret's
// file for a setting. An expanded value stays one string: it is never read as YAML, nor expanded again.
import { messageOf } from "../log.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

export type Sources = {
  env: Record<string, string | undefined>;
  readFile: (path: string) => string;
};

export type Expanded = {
  /** A copy of the value with its strings expanded. A string that could not be is left as written. */
  value: unknown;
  findings: Finding[];
  /** Paths (as text) of the strings that hold something from outside the file: never to be shown. */
  fromOutside: ReadonlySet<string>;
  warnings: string[];
};

/** A variable's name may start with a digit. Other forms (`${X:-d}`, `${A.B}`, `$X`) are not ours, and stay. */
const variable = /\$\{([A-Za-z0-9_]+)\}/g;
/** Only as the whole value; in `${file:/a}${X}` the name is `/a}${X`. Blanks around it come from YAML's block strings. */
const wholeFile = /^\s*\$\{file:(.*)\}\s*$/s;

/** Characters that all variables and files together may add. */
const expansionLengthMax = 4 * 1024 * 1024;
/** Values and levels that are read; aliases can make a small file into a large tree. */
const valuesMax = 100_000;
export const depthMax = 64;

/** Expands every string of the value; map keys stay as they are. `readFile` may throw: the error becomes a finding. */
export function expandSettings(value: unknown, sources: Sources): Expanded {
  const findings: Finding[] = [];
  const warnings: string[] = [];
  const fromOutside = new Set<string>();
  let valuesLeft = valuesMax;
  let lengthLeft = expansionLengthMax;
  let tooDeep: Path | undefined;

  const expanded = walk(value, []);
  if (tooDeep !== undefined) {
    findings.push({
      path: tooDeep.slice(0, 1),
      message: `is nested deeper than ${depthMax} levels`,
    });
  }
  if (valuesLeft < 0) findings.push({ path: [], message: `holds more than ${valuesMax} values` });
  if (lengthLeft < 0) {
    findings.push({ path: [], message: `expands to more than ${expansionLengthMax} characters` });
  }
  return { value: expanded, findings, fromOutside, warnings };

  function walk(node: unknown, path: Path): unknown {
    valuesLeft -= 1;
    if (valuesLeft < 0) return null;
    if (typeof node === "string") return expandText(node, path);
    if (typeof node !== "object" || node === null) return node;
    if (path.length >= depthMax) {
      tooDeep ??= path;
      return null;
    }
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    // fromEntries makes own properties of any key, `__proto__` included.
    return Object.fromEntries(
      Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  }

  function expandText(text: string, path: Path): string {
    if (!text.includes("${")) return text;
    const fileName = wholeFile.exec(text)?.[1];
    const result = fileName === undefined ? withVariables(text, path) : contentOf(fileName, path);
    if (result === undefined) return text;
    if (result !== text) fromOutside.add(formatPath(path));
    return result;
  }

  /** `undefined` when a variable is missing. */
  function withVariables(text: string, path: Path): string | undefined {
    if (text.replaceAll(variable, "").includes("${")) {
      const forms = "only ${NAME} anywhere, and ${file:/path} as the whole value, are expanded";
      warnings.push(`${formatPath(path)} holds a "\${" that is left as written: ${forms}`);
    }
    const missing = new Set<string>();
    const result = text.replaceAll(variable, (_, name: string) => {
      const found = sources.env[name];
      // Names such as `constructor` are found on any object; a variable is always text.
      if (typeof found === "string") return within(found);
      missing.add(name);
      return "";
    });
    for (const name of missing) {
      findings.push({ path, message: `undefined env var in config: ${name}` });
    }
    return missing.size > 0 ? undefined : result;
  }

  /** `undefined` when the file cannot be read. */
  function contentOf(fileName: string, path: Path): string | undefined {
    if (!fileName.startsWith("/")) {
      findings.push({ path, message: `\${file:} path must be absolute: ${fileName}` });
      return undefined;
    }
    try {
      return within(sources.readFile(fileName).trim());
    } catch (error) {
      const reason = messageOf(error);
      findings.push({ path, message: `cannot read ${fileName}: ${reason}` });
      return undefined;
    }
  }

  /** The text, while all of them together keep within the bound; checked before a huge string is put together. */
  function within(text: string): string {
    lengthLeft -= text.length;
    return lengthLeft < 0 ? "" : text;
  }
}
