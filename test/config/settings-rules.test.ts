// What is said of settings documents beyond their shape: switches of the gateway's environment, names of one thing, patterns.
import { describe, expect, test } from "bun:test";
import { edited, load, said } from "./samples.ts";

type Document = Record<string, unknown>;

const withCode = (code: Document) =>
  edited((config) => {
    config.managed = { policies: [{ match: {}, code }] };
  });

const place = "managed.policies[0].code";

describe("a setting behind a switch", () => {
  const gated = withCode({ xaaIdp: { issuer: "https://idp.example", clientId: "x" } });

  test.each([[{}], [{ CLAUDE_CODE_ENABLE_XAA: "0" }], [{ CLAUDE_CODE_ENABLE_XAA: "" }]])(
    "is refused where the environment is %p",
    (env: Record<string, string>) => {
      expect(said(gated, { env })).toEqual([
        `${place}.xaaIdp → is taken only where the gateway runs with CLAUDE_CODE_ENABLE_XAA=1`,
      ]);
    },
  );

  test.each(["1", "true"])("is taken where the switch is %s", (value) => {
    expect(said(gated, { env: { CLAUDE_CODE_ENABLE_XAA: value } })).toEqual([]);
  });

  test("still has to have its shape there", () => {
    const text = withCode({ xaaIdp: { issuer: "https://idp.example" } });
    expect(said(text, { env: { CLAUDE_CODE_ENABLE_XAA: "1" } })).toEqual([
      `${place}.xaaIdp.clientId → ${place}.xaaIdp.clientId is required: text`,
    ]);
  });
});

describe("a setting of two names", () => {
  const list = [{ source: "github", repo: "corp/plugins" }];

  test("is served under the one that clients know", () => {
    const { config } = load(withCode({ allowedMarketplaces: list, model: "opus" }));
    expect(config.policies[0]?.settings).toEqual({ strictKnownMarketplaces: list, model: "opus" });
  });

  test("is refused under both", () => {
    const both = withCode({ allowedMarketplaces: list, strictKnownMarketplaces: list });
    expect(said(both)).toEqual([
      `${place}.allowedMarketplaces → this document sets both "allowedMarketplaces" and "strictKnownMarketplaces", which are the same setting — keep only "strictKnownMarketplaces"`,
    ]);
  });
});

test.each(["strictKnownMarketplaces", "allowedMarketplaces", "blockedMarketplaces"])(
  "a pattern in %s that is no regular expression is refused: it would block nothing",
  (key) => {
    const entries = [
      { source: "hostPattern", hostPattern: "^git\\.corp\\.example$" },
      { source: "hostPattern", hostPattern: "(" },
    ];
    expect(said(withCode({ [key]: entries }))).toEqual([
      `${place}.${key}[1].hostPattern → is not a regular expression, so the entry cannot be enforced`,
    ]);
  },
);

test("a number in a settings document is not read out of text, unlike in the rest of the file", () => {
  expect(said(withCode({ cleanupPeriodDays: "5" }))).toEqual([
    `${place}.cleanupPeriodDays → must be a whole number, at least 1, got "5"`,
  ]);
  const { config } = load(
    edited((written) => {
      written.listen.port = "8081";
      written.managed = { policies: [{ match: {}, code: { cleanupPeriodDays: 5 } }] };
    }),
  );
  expect(config.listen.port).toBe(8081);
  expect(config.policies[0]?.settings).toEqual({ cleanupPeriodDays: 5 });
});

test("the name of a managed MCP server holds letters, digits, - and _ only", () => {
  const server = { type: "http", url: "https://mcp.example" };
  expect(said(withCode({ managedMcpServers: { "a b": server, "a_b-1": server } }))).toEqual([
    `${place}.managedMcpServers["a b"] → the name of a server holds letters, digits, - and _ only`,
  ]);
});
