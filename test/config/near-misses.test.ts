// Keys inside settings documents, and tools in permission rules, that look like ones Claude Code knows: they are taken, and spoken
// of. Keys of the documents themselves are refused, as claude-code.test.ts has it.
import { describe, expect, test } from "bun:test";
import { nearMisses } from "../../src/config/claude-code/near-misses.ts";
import { edited, load } from "./samples.ts";

type Document = Record<string, unknown>;

const place = "managed.policies[0].code";

/** What is said of documents that a gateway starts with. */
function missedIn(...documents: Document[]): string[] {
  const { config } = load(
    edited((written) => {
      written.managed = { policies: documents.map((code) => ({ match: {}, code })) };
    }),
  );
  return nearMisses(
    config.policies.map(({ settings = {} }, index) => ({
      path: ["managed", "policies", index, "code"],
      document: settings,
    })),
  );
}

const key = (path: string, meant: string) =>
  `${place}.${path}: no key of Claude Code 2.1.330, which ignores what it does not know; did you mean "${meant}"?`;
const tool = (path: string, name: string, meant: string) =>
  `${place}.permissions.${path}: "${name}" names no tool of Claude Code 2.1.330, where blanks and case count, so the rule has no effect; did you mean "${meant}"?`;

describe("a key that looks like a known one is told, and started with,", () => {
  test.each<[string, Document, string, string]>([
    [
      "in a mapping",
      { permissions: { denny: ["WebFetch"], deny: [] } },
      "permissions.denny",
      "deny",
    ],
    ["in another case", { sandbox: { Enabled: true } }, "sandbox.Enabled", "enabled"],
    [
      "in a mapping of a mapping",
      { sandbox: { enabled: true, network: { deniedDomain: ["x.example"] } } },
      "sandbox.network.deniedDomain",
      "deniedDomains",
    ],
    [
      "in the entry of a list",
      { sshConfigs: [{ id: "a", name: "a", sshHost: "a", sshprot: 22 }] },
      "sshConfigs[0].sshprot",
      "sshPort",
    ],
    [
      "in a form that is chosen by a word",
      { hooks: { Stop: [{ hooks: [{ type: "http", url: "https://a.example", header: {} }] }] } },
      "hooks.Stop[0].hooks[0].header",
      "headers",
    ],
    [
      "in a form that is chosen by its key",
      { deniedMcpServers: [{ serverName: "a", serverNam: "b" }] },
      "deniedMcpServers[0].serverNam",
      "serverName",
    ],
    [
      "where a single value may stand, too",
      { attribution: { comit: "x" } },
      "attribution.comit",
      "commit",
    ],
    [
      "under a name that people choose",
      {
        managedMcpServers: {
          "a-1": { type: "http", url: "https://a.example", alwaysload: true },
        },
      },
      "managedMcpServers.a-1.alwaysload",
      "alwaysLoad",
    ],
  ])("%s", (_, document, path, meant) => {
    expect(missedIn(document)).toEqual([key(path, meant)]);
  });

  test("in each document that has it", () => {
    const misspelt = { sandbox: { enable: true } };
    expect(missedIn(misspelt, {}, misspelt)).toEqual([
      key("sandbox.enable", "enabled"),
      key("sandbox.enable", "enabled").replace("policies[0]", "policies[2]"),
    ]);
  });
});

describe("nothing is said of", () => {
  test.each<[string, Document]>([
    ["a key that looks like no other, which may be newer", { sandbox: { quantumIsolation: 1 } }],
    ["what is inside of such a key", { sandbox: { quantumIsolation: { enable: true } } }],
    ["names that people choose", { env: { enable: "1" }, enabledPlugins: { "enabled@a": true } }],
    ["settings that may hold anything", { modelSettings: { modell: {} }, theme: { them: 1 } }],
    [
      "a key that would be refused if it were meant",
      { managedMcpServers: { a: { type: "http", url: "https://a.example", comand: "x" } } },
    ],
    ["keys that are as they should be", { permissions: { deny: ["WebFetch"], ask: [] } }],
  ])("%s", (_, document) => {
    expect(missedIn(document)).toEqual([]);
  });
});

describe("a rule for a tool that there is not", () => {
  test.each(["allow", "ask", "deny"])("is told in permissions.%s", (list) => {
    expect(missedIn({ permissions: { [list]: ["Read", "Webfetch"] } })).toEqual([
      tool(`${list}[1]`, "Webfetch", "WebFetch"),
    ]);
  });

  test.each([
    [" WebFetch", " WebFetch", "WebFetch"],
    ["WebFetch ", "WebFetch ", "WebFetch"],
    ["Bash (rm *)", "Bash ", "Bash"],
    ["BASH(rm *)", "BASH", "Bash"],
    ["Wbefetch(*)", "Wbefetch", "WebFetch"],
    ["WebFech", "WebFech", "WebFetch"],
    ["Raed(./.env)", "Raed", "Read"],
    ["Agents(x)", "Agents", "Agent"],
    [" Webfetch", " Webfetch", "WebFetch"],
    [" mcp__github", " mcp__github", "mcp__github"],
    ["mcp__github ", "mcp__github ", "mcp__github"],
    ["ToolOfTomorrow (x)", "ToolOfTomorrow ", "ToolOfTomorrow"],
  ])("is told: %j", (rule, name, meant) => {
    expect(missedIn({ permissions: { deny: [rule] } })).toEqual([tool("deny[0]", name, meant)]);
  });

  test.each([
    "Bash(rm *)",
    "Task",
    "LS",
    "NotebookRead",
    "mcp__github__get_*",
    "mcp__Bsh",
    "Rea*",
    "ToolOfTomorrow",
    "WebFitch2(x)",
  ])("is none, or may be newer: %s", (rule) => {
    expect(missedIn({ permissions: { deny: [rule] } })).toEqual([]);
  });

  test("is not repeated at length", () => {
    const [line = ""] = missedIn({ permissions: { deny: [`${"X".repeat(5000)} `] } });
    expect(line.length).toBeLessThan(500);
  });
});

describe("of many unknown ones only the first 200 are looked at, and that is said,", () => {
  const rest = (what: string) =>
    `managed.policies: more than 200 ${what} are unknown to Claude Code 2.1.330; those after the first 200 were not looked at for misspellings`;
  const many = (count: number) => Array.from({ length: count }, (_, index) => index);

  test("of keys, in all documents together", () => {
    const documents = many(20).map(() => ({
      sandbox: Object.fromEntries(many(10).map((index) => [`quantum${index}`, true])),
    }));
    const misspelt = { sandbox: { enable: true } };
    expect(missedIn(...documents)).toEqual([]);
    expect(missedIn(...documents, misspelt)).toEqual([rest("keys inside settings documents")]);
    const [first, ...others] = missedIn(misspelt, ...documents);
    expect(first).toBe(key("sandbox.enable", "enabled"));
    expect(others).toEqual([rest("keys inside settings documents")]);
  });

  test("of tools", () => {
    const deny = many(201).map(() => "Webfetch");
    const lines = missedIn({ permissions: { deny } });
    expect(lines).toHaveLength(201);
    expect(lines.at(-1)).toBe(rest("tools of permission rules"));
    expect(missedIn({ permissions: { deny: deny.slice(1) } })).toHaveLength(200);
  });
});
