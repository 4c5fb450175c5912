// YAML text → one plain value, and the line and column of every setting in it. What the settings mean is for later files.
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import { ConfigError, type ConfigProblem, formatPath, type Path } from "./problems.ts";

export type Position = Pick<ConfigProblem, "line" | "column">;

export type SettingsDocument = {
  /** The root mapping, aliases resolved, values as written. */
  readonly value: unknown;
  /** Problems that do not keep the rest from being read: keys given twice. */
  readonly problems: readonly ConfigProblem[];
  /** Place of the key, or of the list entry, at the path; when that is not there, of the nearest part of the path that is. */
  readonly positionOf: (path: Path) => Position;
};

/** Larger files are refused unread, in bytes. */
const fileBytesMax = 1024 * 1024;
/** How far aliases may multiply what is written. */
const aliasCountMax = 1000;
/** Syntax errors reported; one missing bracket causes many. */
const syntaxErrorsMax = 5;

/**
 * Reads YAML 1.2 (and so JSON) with the core schema: `yes` and `1_000` are text. Merge keys (`<<`) work. Keys are text.
 * @throws ConfigError when there is no mapping to read.
 */
export function parseSettings(text: string): SettingsDocument {
  const bytes = Buffer.byteLength(text);
  if (bytes > fileBytesMax) refuse(`is larger than ${fileBytesMax} bytes (it has ${bytes})`);

  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const document = parseDocument(shielded(text), {
    lineCounter: lines,
    logLevel: "error",
    merge: true,
    prettyErrors: false, // Those repeat the line, which may be the one with the secret.
    resolveKnownTags: false,
    schema: "core",
    stringKeys: true,
    uniqueKeys: false, // Checked below: the package's own check takes a minute for a file of 80,000 keys.
    version: "1.2",
  });
  // A tag nobody resolves is a warning to the parser, and to us a value that is not what was meant.
  const syntaxErrors = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    path: "",
    ...at(pos[0]),
    message: `YAML: ${withoutSource(message)}`,
  }));
  if (syntaxErrors.length > 0) throw new ConfigError(syntaxErrors.slice(0, syntaxErrorsMax));

  unshield(document);
  const problems = keyProblems(document, at);
  const value = valueOf(document);
  const resolve = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const positionOf = (path: Path): Position => {
    const offset = offsetOf(document.contents, path, resolve);
    return offset === undefined ? { line: undefined, column: undefined } : at(offset);
  };
  return { value, problems, positionOf };
}

/**
 * `{ jwt_secret: ${SECRET} }` is no YAML: a brace ends plain text within braces. People write it all the same, and it can
 * mean one thing only, so the braces of an expansion are hidden from the parser, as characters of the private use area.
 * Every character keeps its place.
 */
function shielded(text: string): string {
  return text.replaceAll(/\$\{(\w+|file:[^{}\n]*)\}/g, "$$\uE000$1\uE001");
}

/** Puts the braces back, in keys and values. */
function unshield(document: Document): void {
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "string") return;
      node.value = node.value.replaceAll(/\$\uE000([^\uE000\uE001]*)\uE001/g, "$${$1}");
    },
  });
}

function refuse(message: string): never {
  throw new ConfigError([{ path: "", line: undefined, column: undefined, message }]);
}

/** Parser messages may end in a piece of the file after a colon. The line and column say as much. */
function withoutSource(message: string): string {
  return message.replace(/: .*$/s, "");
}

/**
 * Keys given twice, in any mapping.
 * @throws ConfigError for aliases of nothing, which the parser lets through.
 */
function keyProblems(document: Document, at: (offset: number) => Position): ConfigProblem[] {
  const keys: ConfigProblem[] = [];
  const aliases: ConfigProblem[] = [];
  const anchors = new Set<string>();
  visit(document, (_, node, ancestors) => {
    if (isAlias(node) && !anchors.has(node.source)) {
      // Without its name: it may be a secret that begins with an asterisk.
      const message =
        "YAML: this alias has no anchor before it; text that begins with * needs quotes";
      aliases.push({ path: "", ...at(node.range?.[0] ?? 0), message });
    }
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.add(node.anchor);
    if (!isMap(node)) return;
    for (const key of repeatedKeys(node)) {
      const path = formatPath([...pathOf([...ancestors, node]), String(key.value)]);
      const message = "the key is given twice in this mapping";
      keys.push({ path, ...at(key.range?.[0] ?? 0), message });
    }
  });
  if (aliases.length > 0) throw new ConfigError(aliases.slice(0, syntaxErrorsMax));
  return keys;
}

/** @throws ConfigError when it is no mapping. */
function valueOf(document: Document): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: aliasCountMax });
  } catch {
    refuse("YAML: the aliases in it multiply to too many values");
  }
  if (value === null) {
    refuse("is empty: it must be a mapping with listen, oidc, session, store and upstreams");
  }
  if (Array.isArray(value)) refuse("must be a mapping of sections, got a list");
  if (typeof value !== "object") refuse("must be a mapping of sections, got a single value");
  return value;
}

/** Keys that a key above them already has the name of. The merge key may be given more than once. */
function repeatedKeys(map: YAMLMap): Scalar[] {
  const seen = new Set<unknown>();
  return map.items.flatMap(({ key }) => {
    if (!isScalar(key) || key.value === "<<") return [];
    if (seen.has(key.value)) return [key];
    seen.add(key.value);
    return [];
  });
}

/** Follows the path through the nodes as far as they go. */
function offsetOf(
  root: unknown,
  path: Path,
  resolve: (node: unknown) => unknown,
): number | undefined {
  let node = root;
  let offset: number | undefined;
  for (const step of path) {
    const container = resolve(node);
    const [place, value] = isMap(container)
      ? pairOf(container, String(step))
      : isSeq(container)
        ? [container.items[Number(step)], container.items[Number(step)]]
        : [];
    // Absent, or come in by a merge key: the place of what holds it will do.
    if (!isNode(place)) return offset;
    offset = place.range?.[0];
    node = value;
  }
  return offset;
}

function pairOf(map: YAMLMap, name: string): [unknown, unknown] | [] {
  const pair = map.items.find(({ key }) => isScalar(key) && String(key.value) === name);
  return pair === undefined ? [] : [pair.key, pair.value];
}

/** Path of the last of these nodes, each of which holds the next. */
function pathOf(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, depth): Path => {
    if (isPair(node)) return [isScalar(node.key) ? String(node.key.value) : ""];
    const next = nodes[depth + 1];
    return isSeq(node) && next !== undefined ? [node.items.indexOf(next)] : [];
  });
}
