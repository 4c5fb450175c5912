// What is written in a configuration file → one plain value, and the line and column of every setting in it. The YAML is
// read in yaml-nodes.ts; what the settings mean is for later files.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import { ConfigError, type ConfigProblem, formatPath, type Path } from "./problems.ts";
import { nodesOf, type Position, syntaxErrorsMax } from "./yaml-nodes.ts";

export type { Position };

export type ParsedSettings = {
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
/** Repeated keys reported. */
const repeatedKeysMax = 200;

/**
 * Reads the YAML, or JSON, of a configuration.
 * @throws ConfigError when there is no mapping to read.
 */
export function parseSettings(text: string): ParsedSettings {
  const bytes = Buffer.byteLength(text);
  if (bytes > fileBytesMax) refuse(`is larger than ${fileBytesMax} bytes (it has ${bytes})`);

  const { document, at } = nodesOf(text);
  const { aliased, problems } = lookedThrough(document, at);
  const value = valueOf(document);
  const resolve = (node: unknown) => (isAlias(node) ? aliased.get(node) : node);
  const positionOf = (path: Path): Position => {
    const offset = offsetOf(document.contents, path, resolve);
    return offset === undefined ? { line: undefined, column: undefined } : at(offset);
  };
  return { value, problems, positionOf };
}

function refuse(message: string): never {
  throw new ConfigError([{ path: "", line: undefined, column: undefined, message }]);
}

/**
 * What every alias stands for, and the keys given twice, in any mapping.
 * @throws ConfigError for aliases of nothing, which the parser lets through, and of themselves, which have no end.
 */
function lookedThrough(
  document: Document,
  at: (offset: number) => Position,
): { aliased: ReadonlyMap<Alias, Node>; problems: ConfigProblem[] } {
  const keys: ConfigProblem[] = [];
  const wrong: ConfigProblem[] = [];
  const aliased = new Map<Alias, Node>();
  const anchored = new Map<string, Node>();
  visit(document, (_, node, ancestors) => {
    if (isAlias(node)) {
      const target = anchored.get(node.source);
      if (target !== undefined) aliased.set(node, target);
      const message = wrongAlias(target, ancestors);
      if (message !== undefined) wrong.push({ path: "", ...at(node.range?.[0] ?? 0), message });
      return;
    }
    if (isNode(node) && node.anchor !== undefined) anchored.set(node.anchor, node);
    if (!isMap(node) || keys.length >= repeatedKeysMax) return;
    for (const key of repeatedKeys(node)) {
      const path = formatPath([...pathOf([...ancestors, node]), String(key.value)]);
      const message = "the key is given twice in this mapping";
      keys.push({ path, ...at(key.range?.[0] ?? 0), message });
    }
  });
  if (wrong.length > 0) throw new ConfigError(wrong.slice(0, syntaxErrorsMax));
  return { aliased, problems: keys };
}

/** Without the alias's name: it may be a secret that begins with an asterisk. */
function wrongAlias(target: Node | undefined, ancestors: readonly unknown[]): string | undefined {
  if (target === undefined)
    return "YAML: this alias has no anchor before it; text that begins with * needs quotes";
  return ancestors.includes(target)
    ? "YAML: this alias refers to itself: its anchor is on something that holds it"
    : undefined;
}

/** @throws ConfigError when it is no mapping. */
function valueOf(document: Document): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: aliasCountMax });
  } catch (error) {
    if (error instanceof ReferenceError)
      refuse("YAML: the aliases in it multiply to too many values");
    refuse("YAML: a merge key (<<) takes a mapping, or a list of mappings");
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
