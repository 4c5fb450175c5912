// The YAML in README.md is YAML that the gateway takes: every block, a whole configuration or a part of one, is read as it
// stands, with made-up secrets.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse } from "yaml";
import { warningsOf } from "../src/boot.ts";
import { loadConfig } from "../src/config/load.ts";
import { sections } from "../src/config/schema.ts";
import { priceKeyOf } from "../src/models/price-overrides.ts";

const readme = await Bun.file(join(import.meta.dir, "..", "README.md")).text();

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

  test("its table of settings names sections that exist, and every section", () => {
    const [, table = ""] = /^(\| key \| default \|.*?)\n\n/ms.exec(readme) ?? [];
    const named = [...table.matchAll(/^\| `([^|]*?)` \| /gms)]
      .flatMap(([, keys = ""]) => keys.split("`, `"))
      .map((key) => key.split(/[.[]/, 1)[0] ?? "")
      .filter((name) => /^[a-z][a-z_]+$/.test(name));
    expect(Object.keys(sections).filter((name) => !named.includes(name))).toEqual([]);
  });
});

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
