// The YAML in README.md is YAML that the gateway takes: every block, a whole configuration or a part of one, is read as it
// stands, with made-up secrets. And what it names is there: settings, variables, tests, source files, its own headings.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { warningsOf } from "../src/boot.ts";
import { loadConfig } from "../src/config/load.ts";
import { sections } from "../src/config/schema.ts";
import { priceKeyOf } from "../src/models/price-overrides.ts";
import { readme, root, tableOf } from "./support/readme.ts";

/** What a part is put into; an upstream of each kind that parts name. */
const base = {
  listen: { host: "127.0.0.1", public_url: "https://claude-gateway.corp.example.com" },
  oidc: { issuer: "https://idp.example.com", client_id: "gw", client_secret: "s" },
  session: { jwt_secret: "x".repeat(32) },
  store: { postgres_url: "postgres://localhost/gateway" },
  upstreams: [{ provider: "bedrock", region: "us-east-1" }],
};

/** Without a policy nobody would read prices. */
const managed = { policies: [{ match: {} }] };

/** `${VAR}` and `${file:…}` as a deployment would have them. */
const env = new Proxy<Record<string, string | undefined>>(
  {},
  {
    get: (_, name) =>
      name === "GATEWAY_POSTGRES_URL"
        ? "postgres://gateway@db.example.com/gateway"
        : `made-up-${String(name)}-${"x".repeat(32)}`,
    has: () => true,
  },
);

type Block = { line: number; text: string; value: unknown };

const blocks: Block[] = [...readme.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => {
  const [, text = ""] = match;
  const line = readme.slice(0, match.index).split("\n").length;
  return { line, text, value: parse(text) as unknown };
});

/** Blocks that are somebody else's, by a key at their top. */
const isCompose = ({ value }: Block) => isMapping(value) && "services" in value;
const isPrometheus = ({ value }: Block) =>
  isMapping(value) && ("scrape_configs" in value || "groups" in value);
const isOurs = (block: Block) => !isCompose(block) && !isPrometheus(block);

describe("README.md", () => {
  test("has blocks of each kind to look at", () => {
    const kindOf = (block: Block) => {
      if (isCompose(block)) return "compose";
      if (isPrometheus(block)) return "prometheus";
      return Array.isArray(block.value) ? "list" : wholeOrPart(block.value);
    };
    expect(new Set(blocks.map(kindOf))).toEqual(
      new Set(["whole", "compose", "list", "part", "prometheus"]),
    );
  });

  test.each(blocks.filter(isOurs))("line $line is valid", ({ text, value }) => {
    const loaded = loadConfig(settingsOf(text, value), {
      env,
      readFile: () => "secret",
      modelKeyOf: priceKeyOf,
    });
    expect(warningsOf(loaded)).toEqual([]);
  });

  test("shows how to write an upstream of every provider", () => {
    const providers = sections.upstreams.items.anyOf.map(
      ({ properties }) => properties.provider.const,
    );
    // One provider has two names, and is shown under the second.
    const unshown = providers.filter(
      (name) => !new RegExp(`^- provider: ${name}\\b`, "m").test(readme),
    );
    expect(unshown).toEqual(["vertex"]);
  });

  test("its Compose file sets every variable that its gateway.yaml needs", () => {
    const compose = blocks.find(isCompose)?.text ?? "";
    const whole = blocks.find(({ value }) => wholeOrPart(value) === "whole")?.text ?? "";
    const needed = [...whole.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name ?? "");
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter((name) => !compose.includes(` ${name}:`))).toEqual([]);
  });

  test("its table of settings has every section, and every key that is not shown in an example of its own", () => {
    const settings = tableOf("| key | default | |").map(([keys = ""]) => keys);
    const missing = Object.entries(sections).flatMap(([section, schema]) => {
      const rows = settings.filter((keys) => keys.startsWith(`\`${section}`));
      const isShown = rows.join() === `\`${section}\``;
      const text = isShown ? exampleOf(section) : rows.join();
      const keys = "properties" in schema ? Object.keys(schema.properties) : [];
      const unnamed = keys.filter((key) => !new RegExp(`[. ]${key}\\b`).test(text));
      return rows.length === 0 ? [section] : unnamed.map((key) => `${section}.${key}`);
    });
    expect(missing).toEqual([]);
  });

  test("its table of variables has each one that is the gateway's own", async () => {
    const table = tableOf("| environment | default | |").join();
    const sources = await Promise.all(
      Array.from(new Bun.Glob("src/**/*.ts").scanSync(root)).map((file) =>
        Bun.file(join(root, file)).text(),
      ),
    );
    const read = new Set(sources.join().match(/\bCLAUDE_GATEWAY_\w+/g));
    // Set by the build.
    read.delete("CLAUDE_GATEWAY_VERSION");
    expect(read.size).toBeGreaterThan(3);
    expect([...read].filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
  });

  test("every test that it names exists", () => {
    const named = new Set(readme.match(/\btest\/[\w./-]+\.ts\b/g));
    expect(named.size).toBeGreaterThan(50);
    expect([...named].filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test("names a test for every threat and every fault", () => {
    const threats = tableOf("| threat | what stands against it | test |");
    const faults = tableOf("| fault | what developers notice | what is kept | test |");
    const rows = [...threats.filter(([threat = ""]) => !threat.startsWith("**")), ...faults];
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => !/`test\/[\w/-]+\.test\.ts`/.test(row.at(-1) ?? ""))).toEqual([]);
  });

  test("its invariants are held in files that exist", () => {
    const places = tableOf("| invariant | what breaks without it | where it is held |").flatMap(
      (row) => row.at(-1)?.split(", ") ?? [],
    );
    expect(places.length).toBeGreaterThan(30);
    const isThere = (place: string) => existsSync(join(root, "src", place.replaceAll("`", "")));
    expect(places.filter((place) => !isThere(place))).toEqual([]);
  });

  test("its import order and its table of modules have every domain of src/", () => {
    const files = Array.from(new Bun.Glob("**/*.ts").scanSync(join(root, "src")));
    const domains = new Set(
      files
        .filter((file) => !file.endsWith(".d.ts"))
        .map((file) => file.replace(/(\/.*|\.ts)$/, "")),
    );
    const [order = ""] = /^`main → .*`$/m.exec(readme) ?? [];
    expect(order.replaceAll("`", "").split(" → ").toSorted()).toEqual([...domains].toSorted());
    const modules = tableOf("| module | owns | its third-party package |").map(([name]) => name);
    const named = new Set<string>(modules.join().match(/[\w-]+(?=\/|\.ts)/g));
    expect([...domains].filter((domain) => !named.has(domain))).toEqual([]);
  });

  test("its links lead to headings that it has", () => {
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    );
    const links = [...readme.matchAll(/\]\(#([^)]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !headings.includes(link))).toEqual([]);
  });
});

/** The block that begins with a section. */
function exampleOf(section: string): string {
  return blocks.find(({ text }) => text.startsWith(`${section}:`))?.text ?? "";
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wholeOrPart(value: unknown): "whole" | "part" {
  return isMapping(value) && Object.keys(base).every((section) => section in value)
    ? "whole"
    : "part";
}

/** The text of a whole configuration: as it stands, or the part in its place in `base`. */
function settingsOf(text: string, value: unknown): string {
  if (wholeOrPart(value) === "whole") return text;
  if (Array.isArray(value)) return JSON.stringify({ ...base, upstreams: withNames(value) });
  if (isMapping(value)) {
    const oidc = { ...base.oidc, ...(isMapping(value.oidc) && value.oidc) };
    return JSON.stringify({ ...base, managed, ...value, oidc });
  }
  throw new Error(`neither a mapping nor a list: ${text}`);
}

/** Each entry of a list stands for itself: where two are of one provider, a reader would name them. */
function withNames(upstreams: readonly unknown[]): unknown[] {
  return upstreams.map((entry, index) =>
    isMapping(entry) && !("name" in entry) ? { ...entry, name: `upstream-${index}` } : entry,
  );
}
