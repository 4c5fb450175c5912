// What a `desktop` document may hold: the values that settings take, and what is done with a document that is fine.
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { desktopProblems, desktopWarnings } from "../../src/config/claude-desktop/rules.ts";
import { claudeDesktopSettings } from "../../src/config/claude-desktop/settings.ts";
import {
  blamed,
  type Document,
  full,
  local,
  price,
  problems,
  servers,
  withDesktop,
} from "./desktop-samples.ts";
import { load } from "./samples.ts";

describe("a document is taken", () => {
  test("with every kind of setting, and nothing is said about it", () => {
    expect(problems(full)).toEqual([]);
    expect(desktopWarnings(full)).toEqual([]);
  });

  test("as it is written: nothing is added to it and no setting moves", () => {
    const document = { ...full, keyOfTomorrow: { a: [1] } };
    const [policy] = load(withDesktop(document)).config.policies;
    expect(policy?.desktop).toEqual(document);
    expect(Object.keys(policy?.desktop ?? {})).toEqual(Object.keys(document));
  });

  test("when it is empty", () => {
    expect(problems({})).toEqual([]);
  });

  test("with a number that came as text out of a variable", () => {
    expect(problems({ mcpToolTimeoutSec: "60" })).toEqual([]);
  });

  test("with a banner that is off, whatever is in it", () => {
    expect(problems({ banner: { text: "B", backgroundColor: "#fff", linkUrl: "x" } })).toEqual([]);
  });
});

describe("no table fills anything in:", () => {
  test("nowhere in the schema is there a default", () => {
    expect(JSON.stringify(claudeDesktopSettings)).not.toContain('"default":');
  });

  test("no setting is required", () => {
    expect(Value.Check(claudeDesktopSettings, {})).toBe(true);
  });
});

describe("a value is refused that is", () => {
  const wrong: [string, Document][] = [
    ["a word for true", { disableAutoUpdates: "yes" }],
    ["text for true", { disableAutoUpdates: "true" }],
    ["explicitly nothing", { disableAutoUpdates: null }],
    ["empty text", { deploymentOrganizationUuid: "" }],
    ["only blanks", { deploymentDisplayName: "  " }],
    ["a display name that is too long", { deploymentDisplaySubtitle: "x".repeat(61) }],
    ["instructions that are too long", { organizationInstructions: "x".repeat(3001) }],
    ["below the range", { autoUpdaterEnforcementHours: 0 }],
    ["above the range", { configRecheckIntervalMinutes: 31 }],
    ["not whole", { inferenceTokenWindowHours: 1.5 }],
    ["a multiplier of nothing", { inferenceModelPricingMultiplier: 0 }],
    ["a multiplier above 1", { inferenceModelPricingMultiplier: 1.5 }],
    ["no word that is known", { sshTransport: "openssh" }],
    ["a word in another case", { builtinBrowserDefaultDomainPolicy: "Allow" }],
    ["a list as text", { disabledBuiltinTools: '["Bash"]' }],
    ["a mapping where a list belongs", { managedMcpServers: {} }],
    ["a list where a mapping belongs", { banner: [] }],
    ["plain http", { userContentRendererUrl: "http://a.example" }],
    ["a URL with credentials", { userContentRendererUrl: "https://u:p@a.example" }],
    ["an address of the person's own machine", { userContentRendererUrl: "https://localhost" }],
  ];
  test.each(wrong)("%s", (_, document) => {
    expect(blamed(document)).toEqual(Object.keys(document));
  });

  const wrongInside: [string, Document, string][] = [
    ["a number among tools", { disabledBuiltinTools: [5] }, "disabledBuiltinTools[0]"],
    ["an unknown category", { otlpContentCapture: ["prompts"] }, "otlpContentCapture[0]"],
    [
      "a folder with an unknown mode",
      { allowedWorkspaceFolders: [{ path: "/a", mode: "x" }] },
      "allowedWorkspaceFolders[0].mode",
    ],
    [
      "a folder without a path",
      { allowedWorkspaceFolders: [{}] },
      "allowedWorkspaceFolders[0].path",
    ],
    [
      "a price that is missing",
      { inferenceModelPricing: [{ ...price, inputPerMtok: undefined }] },
      "inferenceModelPricing[0].inputPerMtok",
    ],
    [
      "a price above the bound",
      { inferenceModelPricing: [{ ...price, inputPerMtok: 10_001 }] },
      "inferenceModelPricing[0].inputPerMtok",
    ],
    ["text for true in a banner", { banner: { enabled: "true" } }, "banner.enabled"],
    [
      "a pattern without a URL",
      { deniedPluginMcpServers: [{}] },
      "deniedPluginMcpServers[0].serverUrl",
    ],
    [
      "a pattern with another field",
      { deniedPluginMcpServers: [{ serverUrl: "*", x: 1 }] },
      "deniedPluginMcpServers[0].x",
    ],
    [
      "an unknown permission",
      { orgPluginSettings: [{ serverName: "s", tools: [{ toolName: "t", permission: "deny" }] }] },
      "orgPluginSettings[0].tools[0].permission",
    ],
  ];
  test.each(wrongInside)("%s", (_, document, path) => {
    expect(blamed(document)).toEqual([path]);
  });

  test("several settings are all named at once", () => {
    const found = blamed({ banner: { txt: "x" }, disableAutoUpdates: "yes", bootstrapUrl: "x" });
    expect(found).toEqual(["banner.txt", "disableAutoUpdates", "bootstrapUrl"]);
  });
});

describe("a host is", () => {
  const refused = ["a", "*.com", "*:80", "a.example:0", "a.example:65536", "https://a.example"];
  const alsoRefused = ["a.example/x", "[::1]", "a..b", "a.example.", " a.example", "é.example", ""];
  test.each([...refused, ...alsoRefused])("refused when it is written %p", (host) => {
    expect(blamed({ coworkEgressAllowedHosts: [host] })).toEqual(["coworkEgressAllowedHosts[0]"]);
    expect(blamed({ builtinBrowserBlockedDomains: [host] })).toHaveLength(1);
  });

  test.each(["localhost", "localhost:3000"])("no site of the built-in browser: %s", (host) => {
    expect(blamed({ builtinBrowserAllowedDomains: [host] })).toHaveLength(1);
    expect(blamed({ builtinBrowserBlockedDomains: [host] })).toHaveLength(1);
    expect(problems({ coworkEgressAllowedHosts: [host] })).toEqual([]);
  });

  test("every site may be blocked by *, and not allowed by it", () => {
    expect(problems({ builtinBrowserBlockedDomains: ["*"] })).toEqual([]);
    expect(blamed({ builtinBrowserAllowedDomains: ["*"] })).toHaveLength(1);
  });
});

describe("a path on a person's machine is", () => {
  const paths = ["ssh", "./ssh", "~/ssh", "/usr/../ssh", "/usr/..", "//host/share", "C:ssh"];
  const windows = ["\\\\host\\share", "\\??\\C:\\x", "/??/C:/x", "C:\\a\\..\\b"];
  const endings = ["/a.", "/a ", "/a%X%", '/a"', "/a\nb", "/a\0b", ""];
  test.each([...paths, ...windows, ...endings])("refused when it is written %p", (path) => {
    expect(blamed({ sshClientPath: path })).toEqual(["sshClientPath"]);
    expect(blamed(servers({ ...local, envHelper: path }))).toEqual([
      "managedMcpServers[0].envHelper",
    ]);
  });

  test.each(["/usr/bin/ssh", "C:/x/ssh.exe", "/a b/c..d", "/"])("taken: %s", (path) => {
    expect(problems({ sshClientPath: path })).toEqual([]);
  });
});

test("what did not have its shape is passed over by the rules", () => {
  const torn = {
    banner: undefined,
    builtinToolPolicy: undefined,
    managedMcpServers: [undefined, { name: undefined, transport: undefined, oauth: undefined }],
    allowedPluginMarketplaces: [undefined],
    orgPluginSettings: undefined,
  };
  expect(desktopProblems(torn)).toEqual([]);
  expect(desktopWarnings(torn)).toEqual([]);
});
