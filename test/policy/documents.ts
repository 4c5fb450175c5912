// Settings documents as policies hold them, for property tests: the keys that the merge has a rule for, others of every kind,
// mappings in mappings, and values that two documents often share.
import * as fc from "fast-check";

export type Document = Record<string, unknown>;

const few = <T>(values: fc.Arbitrary<T>) => fc.array(values, { maxLength: 4 });
const someOf = <T>(...values: T[]) => few(fc.constantFrom(...values));
const rules = someOf(
  "Bash",
  "Bash(rm *)",
  "WebFetch",
  "WebFetch(domain:a.example)",
  "mcp__x__y",
  "Read(./.env)",
);
const models = someOf(
  "opus",
  "sonnet",
  "claude-opus-4-8",
  "claude-haiku-4-5",
  "house",
  "opus[1m]",
  " Opus ",
);
const byFewNames = (value: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom("A", "B", "C", "D"), value, { maxKeys: 4 });
const texts = fc.constantFrom("", "1", "x", "y");
/** Mappings that are equal only as they are written: `{a, b}` and `{b, a}` are two. */
const servers = someOf<unknown>(
  { serverName: "a" },
  { serverUrl: "https://a.example/*" },
  { serverName: "a", x: 1 },
  { x: 1, serverName: "a" },
);
const hooks = few(
  fc.record({
    matcher: fc.constantFrom("Bash", "*"),
    hooks: someOf({ type: "command", command: "a" }, { type: "command", command: "b" }),
  }),
);

/** Values by key. Every key may be missing, and keys stand in any order. */
const inAnyOrder = (values: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Document> =>
  fc
    .record(values, { requiredKeys: [] })
    .chain((document) =>
      fc
        .shuffledSubarray(Object.entries(document), { minLength: Object.keys(document).length })
        .map((entries) => Object.fromEntries(entries)),
    );

/** A document that a policy may hold under `cli`. */
export const settingsDocument = inAnyOrder({
  permissions: inAnyOrder({
    allow: rules,
    deny: rules,
    ask: rules,
    defaultMode: fc.constantFrom("plan", "default"),
    additionalDirectories: someOf("/a", "/b"),
    somethingNew: fc.oneof(fc.constant(null), fc.jsonValue({ maxDepth: 1 })),
  }),
  env: byFewNames(texts),
  modelOverrides: byFewNames(texts),
  skillOverrides: byFewNames(fc.constantFrom("on", "off")),
  hooks: inAnyOrder({ Stop: hooks, PreToolUse: hooks, SessionStart: hooks }),
  availableModels: models,
  deniedModels: models,
  disabledMcpjsonServers: someOf("a", "b", "c"),
  deniedMcpServers: servers,
  blockedMarketplaces: someOf({ source: "github", repo: "a/b" }, { source: "github", repo: "c/d" }),
  enabledMcpjsonServers: someOf("a", "b"),
  companyAnnouncements: someOf("one", "two"),
  model: fc.constantFrom("opus", "claude-opus-4-8"),
  cleanupPeriodDays: fc.integer({ min: 1, max: 99 }),
  includeCoAuthoredBy: fc.boolean(),
  sandbox: inAnyOrder({
    enabled: fc.boolean(),
    network: inAnyOrder({ allowedDomains: someOf("a.example", "*.b.example") }),
    filesystem: inAnyOrder({ denyRead: someOf("/etc") }),
  }),
  enabledPlugins: byFewNames(fc.boolean()),
  statusLine: fc.record({ type: fc.constant("command"), command: texts }),
});

/** One with keys, too, that nobody knows yet. */
export const anyDocument = fc
  .tuple(settingsDocument, inAnyOrder({ somethingNew: fc.jsonValue({ maxDepth: 2 }), deny: rules }))
  .map(([known, unknown]): Document => ({ ...known, ...unknown }));

/** A document that a policy may hold under `desktop`. */
export const desktopDocument = inAnyOrder({
  disabledBuiltinTools: someOf("Bash", "WebSearch", "Edit"),
  builtinToolPolicy: fc.dictionary(
    fc.constantFrom("Bash", "Edit", "Read", "Write"),
    fc.constantFrom("allow", "ask"),
  ),
  coworkEgressAllowedHosts: someOf("a.example", "*.b.example"),
  disableAutoUpdates: fc.boolean(),
  banner: fc.record({ enabled: fc.constant(true), text: fc.constantFrom("one", "two") }),
  somethingNew: fc.jsonValue({ maxDepth: 2 }),
});

/** The value at a path of keys; undefined where there is none. */
export function at(document: unknown, ...path: string[]): unknown {
  let value = document;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? (value as Document)[key] : undefined;
  }
  return value;
}

/** The list at a path; an empty one where there is none. */
export function listAt(document: unknown, ...path: string[]): unknown[] {
  const value = at(document, ...path);
  return Array.isArray(value) ? value : [];
}

/** Makes every attempt to change a document throw. */
export function frozen<T>(document: T): T {
  if (typeof document === "object" && document !== null) {
    Object.values(document).forEach(frozen);
    Object.freeze(document);
  }
  return document;
}
