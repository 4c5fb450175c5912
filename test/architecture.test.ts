// The picture of src/ that README's architecture section draws, checked: who may import whom, which folder a third-party
// package lives in, and the size and opening of every file. What lint can see (cycles, unused code) is left to lint.
import { describe, expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");

/** Domains from the process inwards. A file may import from its own domain and from those after it, types included. */
const order = (
  "main arguments runtime boot networks gateway demo inference oauth telemetry spend policy upstream idp models " +
  "sealed session endings store http config audit log timer"
).split(" ");

/** The domains that may import each third-party package: one home each, two where two of us speak that language. */
const homes: Record<string, readonly string[]> = {
  postgres: ["store"],
  "@electric-sql/pglite": ["store"],
  oauth4webapi: ["idp"],
  jose: ["session", "sealed", "idp", "demo"],
  "@sinclair/typebox": ["config", "policy"],
  yaml: ["config"],
  "@aws-sdk/client-bedrock-runtime": ["upstream"],
  "@aws-sdk/credential-providers": ["upstream"],
  "@smithy/signature-v4": ["upstream"],
  "@azure/identity": ["upstream"],
  "google-auth-library": ["upstream"],
  "@bufbuild/protobuf": ["telemetry"],
  "@opentelemetry/api": ["telemetry"],
  "@opentelemetry/core": ["telemetry"],
  "@opentelemetry/exporter-logs-otlp-http": ["telemetry"],
  "@opentelemetry/exporter-metrics-otlp-http": ["telemetry"],
  "@opentelemetry/exporter-prometheus": ["telemetry"],
  "@opentelemetry/exporter-trace-otlp-http": ["telemetry"],
  "@opentelemetry/resources": ["telemetry"],
  "@opentelemetry/sdk-logs": ["telemetry"],
  "@opentelemetry/sdk-metrics": ["telemetry"],
  "@opentelemetry/sdk-trace": ["telemetry"],
  "@opentelemetry/semantic-conventions": ["telemetry"],
};

/** Files outside src/ that the executable embeds, by the one domain that may. */
const embedded: Record<string, readonly string[]> = {
  "sql/": ["store"],
  "package.json": ["main"],
};

const linesMax = 300;
const saysNothing =
  /(^|[-./])(utils?|helpers?|managers?|services?|common|misc|data|stuff)([-./]|$)/i;

/** Every source file; declarations of what other kinds of file export (`.d.ts`) belong to no domain. */
const files = Array.from(new Bun.Glob("**/*.ts").scanSync(join(root, "src")))
  .filter((file) => !file.endsWith(".d.ts"))
  .toSorted();
const sources = await Promise.all(
  files.map(async (file) => ({ file, text: await Bun.file(join(root, "src", file)).text() })),
);

describe("src/", () => {
  test("holds only domains that have a place in the import order", () => {
    expect(files.filter((file) => !order.includes(domainOf(file)))).toEqual([]);
  });

  test("imports only to the right in the import order, type imports included", () => {
    const wrong = eachImport(({ file, target }) => {
      if (target.kind !== "source") return false;
      return order.indexOf(domainOf(target.path)) < order.indexOf(domainOf(file));
    });
    expect(wrong).toEqual([]);
  });

  test("imports each third-party package in its home only, and none that has no home", () => {
    const wrong = eachImport(({ file, target }) => {
      if (target.kind !== "package") return false;
      return !(homes[target.path] ?? []).includes(domainOf(file));
    });
    expect(wrong).toEqual([]);
  });

  test("embeds files from outside src/ only where one domain owns them", () => {
    const wrong = eachImport(({ file, target }) => {
      if (target.kind !== "outside") return false;
      const owners =
        Object.entries(embedded).find(([prefix]) => target.path.startsWith(prefix))?.[1] ?? [];
      return !owners.includes(domainOf(file));
    });
    expect(wrong).toEqual([]);
  });

  test("opens every file with a comment that says what it owns", () => {
    expect(
      sources
        .filter(({ text }) => !/^(#!.*\n)?(\/\/ \S|\/\*\*?\s)/.test(text))
        .map(({ file }) => file),
    ).toEqual([]);
  });

  test(`keeps every file within ${linesMax} lines`, () => {
    const long = sources.filter(({ text }) => text.split("\n").length - 1 > linesMax);
    expect(long.map(({ file }) => file)).toEqual([]);
  });

  test("has no file or folder whose name says nothing", () => {
    expect(files.filter((file) => saysNothing.test(file))).toEqual([]);
  });
});

// The checks above are as good as the reader below: shown on text that holds every form of import.
test("the reader of imports sees value, type, re-exported, bare, many-line and dynamic imports, and nothing else", () => {
  const text = [
    `// import { a } from "comment"`,
    `import { a } from "./value.ts";`,
    `import type { B } from "./type.ts";`,
    `import {\n  c,\n  type D,\n} from "./lines.ts";`,
    `import * as e from "./star.ts";`,
    `import "./bare.ts";`,
    `import wasm from "pkg/file.wasm" with { type: "file" };`,
    `export { f } from "./export.ts";`,
    `export type { G } from "./export-type.ts";`,
    `export const h = "not this";`,
    `const i = await import("./dynamic.ts");`,
    `type J = import("./type-position.ts").J;`,
  ].join("\n");
  expect(importsOf(text)).toEqual([
    "./value.ts",
    "./type.ts",
    "./lines.ts",
    "./star.ts",
    "./bare.ts",
    "pkg/file.wasm",
    "./export.ts",
    "./export-type.ts",
    "./dynamic.ts",
    "./type-position.ts",
  ]);
});

type Target = { kind: "source" | "outside" | "package" | "runtime"; path: string };

/** Every import of src/ that `isWrong` picks, as `file → specifier`. */
function eachImport(isWrong: (found: { file: string; target: Target }) => boolean): string[] {
  return sources.flatMap(({ file, text }) =>
    importsOf(text)
      .filter((specifier) => isWrong({ file, target: resolve(file, specifier) }))
      .map((specifier) => `${file} → ${specifier}`),
  );
}

/** Module specifiers in the order they stand. A formatted file starts its import and export statements at the margin. */
function importsOf(text: string): string[] {
  const statement =
    /^(?:import|export)\s[^"';=]*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
  return [...text.matchAll(statement)].flatMap(
    ([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? [],
  );
}

function resolve(file: string, specifier: string): Target {
  if (/^(node|bun):|^bun$/.test(specifier)) return { kind: "runtime", path: specifier };
  if (!specifier.startsWith(".")) return { kind: "package", path: packageOf(specifier) };
  const path = relative(root, join(root, "src", dirname(file), specifier));
  if (path.startsWith("src/")) return { kind: "source", path: path.slice("src/".length) };
  if (path.startsWith("node_modules/"))
    return { kind: "package", path: packageOf(path.slice("node_modules/".length)) };
  return { kind: "outside", path };
}

function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** `oauth/token.ts` → `oauth`, `main.ts` → `main`. What lies beside the top-level files (`protocol.md`) counts as gateway's. */
function domainOf(path: string): string {
  if (path.includes("/")) return path.slice(0, path.indexOf("/"));
  return path.endsWith(".ts") ? path.slice(0, -".ts".length) : "gateway";
}
