// What the boot log says of policies that are as they should be: what the catch-all adds to each, and where they reach.
import { describe, expect, test } from "bun:test";
import { describePolicies } from "../../src/policy/boot-log.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { edited, load } from "../config/samples.ts";

function described(policies: object[], more: object = {}): string[] {
  const { config } = load(edited((c) => Object.assign(c, { managed: { policies }, ...more })));
  return describePolicies(createPolicies(config), config);
}
const eng = { match: { groups: ["eng"] } };

test("no policy is said to be none", () => {
  expect(described([])).toEqual(["managed settings: not configured"]);
});

test("policies are counted, and those that Claude Desktop is opted in by, also through the catch-all", () => {
  expect(described([{}])).toEqual([
    "managed settings: configured (1 policy, 0 with Claude Desktop)",
  ]);
  expect(described([{ ...eng, desktop: {} }, {}])).toEqual([
    "managed settings: configured (2 policies, 1 with Claude Desktop)",
  ]);
  expect(described([eng, { desktop: {} }])).toEqual([
    "managed settings: configured (2 policies, 2 with Claude Desktop)",
  ]);
});

describe("what the catch-all changes", () => {
  const count = (policies: number, desktops: number) =>
    `managed settings: configured (${policies} policies, ${desktops} with Claude Desktop)`;

  test("is named by policy and key, in the order of the merged document; what it does not is not", () => {
    const own = { model: "a", language: "de", permissions: { deny: ["Bash"] }, env: { A: "1" } };
    const base = {
      env: { A: "2" },
      permissions: { deny: ["WebFetch"] },
      language: "en",
      cleanupPeriodDays: 3,
    };
    expect(described([{ ...eng, cli: own }, { cli: base }])).toEqual([
      "managed.policies[0] after merge with catch-all base — changed keys: permissions, cleanupPeriodDays",
      count(2, 0),
    ]);
  });

  test("is said of Claude Desktop's in a line of its own, behind the other", () => {
    const policies = [
      { ...eng, desktop: { disableAutoUpdates: true } },
      { cli: { model: "a" }, desktop: { zzz: 1, disableAutoUpdates: false } },
    ];
    expect(described(policies)).toEqual([
      "managed.policies[0] after merge with catch-all base — changed keys: model",
      "managed.policies[0] desktop overlay after merge with catch-all base — changed keys: zzz",
      count(2, 2),
    ]);
  });

  test("is said of every policy, also of one that is never reached, and of none without a catch-all", () => {
    const line = (index: number) =>
      `managed.policies[${index}] after merge with catch-all base — changed keys: model`;
    expect(described([eng, { cli: { model: "a" } }, eng, {}])).toEqual([
      line(0),
      line(2),
      line(3),
      count(4, 0),
    ]);
    expect(described([eng, { ...eng, cli: { model: "a" } }])).toEqual([count(2, 0)]);
    expect(described([{ ...eng, cli: { model: "b" } }, { cli: { model: "a" } }])).toEqual([
      count(2, 0),
    ]);
  });
});

describe("a code block", () => {
  const lineFor = (url: string) =>
    `settings in a code: block reach Claude Desktop's Code tab only on machines whose own Claude Code managed settings name this gateway and that reach it over HTTPS on a private network; on any other machine the Code tab does not start (Claude Code before v2.1.296: starts without them). Each machine's Claude Code managed settings need: {"forceLoginGatewayUrl":"${url}","parentSettingsBehavior":"merge"}`;
  const code = { model: "a" };

  test("needs something of machines, which is said once, with the gateway's address", () => {
    expect(
      described([{ ...eng, code }, { code }]).filter((line) => line.startsWith("settings")),
    ).toEqual([lineFor("https://gateway.example")]);
    expect(described([{ code }], { listen: { host: "127.0.0.1" } })).toContain(
      lineFor("<public_url>"),
    );
  });

  test.each<[string, object]>([
    ["that says nothing", { code: { env: {} }, desktop: {} }],
    ["that is a cli block", { cli: code, desktop: {}, serve_to_desktop: true }],
  ])("%s needs nothing", (_, policy) => {
    expect(described([policy])).toHaveLength(1);
  });
});
