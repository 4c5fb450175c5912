// Which keys a `desktop` document may hold: the ones refused by name, the ones taken for a slip, the ones a newer Claude Desktop
// may know; and the rules of tools and banners.
import { describe, expect, test } from "bun:test";
import { desktopWarnings } from "../../src/config/claude-desktop/rules.ts";
import { blamed, type Document, market, problems, remote, servers } from "./desktop-samples.ts";

describe("a key is refused that", () => {
  const cases: [string, string, string][] = [
    [
      "the gateway answers itself",
      "inferenceProvider",
      "set by the gateway from its own configuration — configure `upstreams:`/`models:` instead",
    ],
    [
      "the gateway's models decide",
      "inferenceModels",
      "set by the gateway from its own configuration — configure `upstreams:`/`models:` instead",
    ],
    [
      "the gateway's relay decides",
      "otlpEndpoint",
      "set by the gateway — it relays OTLP itself; configure `telemetry.forward_to` instead",
    ],
    [
      "only a device can set",
      "bootstrapUrl",
      "not deliverable via bootstrap — set it through MDM/local managed configuration instead",
    ],
    [
      "has another name now",
      "isDxtEnabled",
      "deprecated name for isDesktopExtensionEnabled — use isDesktopExtensionEnabled",
    ],
    [
      "had another name and is refused under both",
      "trustBootstrapLocalExec",
      "deprecated name for trustBootstrapDelivery, which is not operator-settable here",
    ],
    [
      "belongs to gateway.yaml",
      "models",
      "one of gateway.yaml's own keys, not a desktop setting — check the indentation",
    ],
    [
      "belongs to a section that is not supported yet or is",
      "admin",
      "one of gateway.yaml's own keys, not a desktop setting — check the indentation",
    ],
    [
      "belongs to the policy",
      "cli",
      "one of gateway.yaml's own keys, not a desktop setting — check the indentation",
    ],
    [
      "misses a known one by a letter",
      "disableAutoUpdate",
      "unknown desktop key — did you mean disableAutoUpdates?",
    ],
    [
      "is a known one in another spelling",
      "disable_auto_updates",
      "unknown desktop key — did you mean disableAutoUpdates?",
    ],
    ["is a known one in another case", "Banner", "unknown desktop key — did you mean banner?"],
    [
      "would be about inference",
      "inferenceOfTomorrow",
      "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release",
    ],
    [
      "would be about the relay, in any case",
      "OTLP_thing",
      "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release",
    ],
    [
      "is a section of the nested format",
      "chatSurface",
      "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release",
    ],
    [
      "the gateway writes into the answer",
      "expiresAt",
      "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release",
    ],
    [
      "every object has",
      "constructor",
      "unknown desktop key — fix the typo, or upgrade the gateway if this key was added in a newer Claude Desktop release",
    ],
  ];
  test.each(cases)("%s", (_, key, message) => {
    expect(problems({ [key]: { a: 1 } })).toEqual([`${key} → ${message}`]);
  });

  const subKeys: [string, Document, string][] = [
    ["misses one of a banner's", { banner: { txt: "x" } }, "banner.txt"],
    [
      "misses one of a folder's",
      { allowedWorkspaceFolders: [{ path: "/a", modes: "ro" }] },
      "allowedWorkspaceFolders[0].modes",
    ],
    [
      "misses one of a tool's permission",
      {
        orgPluginSettings: [
          { serverName: "s", tools: [{ toolName: "t", permission: "ask", toolname: 1 }] },
        ],
      },
      "orgPluginSettings[0].tools[0].toolname",
    ],
    [
      "belongs to another source of plugins",
      market({ source: "github", repo: "a/b", manifestSha256: "x" }),
      "allowedPluginMarketplaces[0].manifestSha256",
    ],
  ];
  test.each(subKeys)("%s", (_, document, path) => {
    expect(blamed(document)).toEqual([path]);
  });
});

describe("a key that a newer Claude Desktop may know", () => {
  const newer = ["fooBar", "skillEditingEnabled", "disableUpdates", "chatEnabled", "officeHosts"];
  test.each(newer)("is kept, with a warning: %s", (key) => {
    expect(problems({ [key]: { a: 1 } })).toEqual([]);
    expect(desktopWarnings({ [key]: { a: 1 } })).toEqual([
      `${key}: unknown to this gateway's Claude Desktop schema (it may be newer). Sent to Claude Desktop as written.`,
    ]);
  });

  test("is warned of inside a setting, too, and said to be unchecked", () => {
    const document = { ...servers({ ...remote, foo: 1 }), banner: { zoom: 1 } };
    expect(problems(document)).toEqual([]);
    expect(desktopWarnings(document)).toEqual([
      expect.stringMatching(/^managedMcpServers\[0\]\.foo: unknown .* did not check its value\.$/),
      expect.stringMatching(/^banner\.zoom: unknown /),
    ]);
  });
});

describe("a rule for a built-in tool", () => {
  const refused = [
    "Bsh",
    "bash",
    "mcp__a__b",
    "Bash(",
    "Bash()",
    "*",
    "Foo(x)",
    "WebFetch(domain:x)",
  ];
  test.each(refused)("is refused when it would have no effect: %s", (rule) => {
    expect(blamed({ builtinToolPolicy: { [rule]: "ask" } })).toHaveLength(1);
  });

  test.each(["deny", "blocked", "ASK", true])("is refused when it says %p", (policy) => {
    expect(blamed({ builtinToolPolicy: { Bash: policy } })).toEqual(["builtinToolPolicy.Bash"]);
  });

  test("is told the name in its own case", () => {
    expect(problems({ builtinToolPolicy: { bash: "ask" } })[0]).toEndWith("write Bash");
  });
});

describe("an enabled banner", () => {
  const hidden: [string, Document, string][] = [
    ["without text", {}, "banner.text"],
    ["with only blanks", { text: " " }, "banner.text"],
    ["with too much text", { text: "x".repeat(201) }, "banner.text"],
    ["with a short color", { text: "x", textColor: "#fff" }, "banner.textColor"],
    ["with a link that is not https", { text: "x", linkUrl: "http://a.example" }, "banner.linkUrl"],
    [
      "with a link that has a password",
      { text: "x", linkUrl: "https://u:p@a.example" },
      "banner.linkUrl",
    ],
  ];
  test.each(hidden)("%s is refused, since nobody would see it", (_, banner, path) => {
    expect(blamed({ banner: { ...banner, enabled: true } })).toEqual([path]);
  });

  test("may have as much text as is shown", () => {
    expect(problems({ banner: { enabled: true, text: "x".repeat(200) } })).toEqual([]);
  });

  test("is what a banner with text should be, or a warning says so", () => {
    expect(desktopWarnings({ banner: { text: "B" } })).toHaveLength(1);
    expect(desktopWarnings({ banner: { enabled: true, text: "B" } })).toEqual([]);
  });
});

test("of tens of thousands of unknown keys each is judged, the last as the first, and soon", () => {
  const unknown = Object.fromEntries(
    Array.from({ length: 30_000 }, (_, index) => [`qqqqzzzz${index}`, 1]),
  );
  const started = performance.now();
  expect(problems({ ...unknown, disableAutoUpdate: true })).toEqual([
    "disableAutoUpdate → unknown desktop key — did you mean disableAutoUpdates?",
  ]);
  expect(performance.now() - started).toBeLessThan(10_000);
});
