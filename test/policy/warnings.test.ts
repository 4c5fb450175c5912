// What the policies of a configuration may say and hardly mean, in sentences for the boot log. That they are printed is in
// gateway/policies.test.ts.
import { describe, expect, test } from "bun:test";
import { warningsOf } from "../../src/boot.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { policyWarnings } from "../../src/policy/warnings.ts";
import { edited, load } from "../config/samples.ts";

const loaded = (policies: object[], more: object = {}) =>
  load(edited((c) => Object.assign(c, { managed: { policies }, ...more })));
function warned(policies: object[], more: object = {}): string[] {
  const { config } = loaded(policies, more);
  return policyWarnings(createPolicies(config), config);
}
const eng = { match: { groups: ["eng"] } };
const ops = { match: { groups: ["ops"] } };

test("policies that say what they mean are worth none", () => {
  expect(
    warned([
      { ...eng, cli: { availableModels: ["opus"], permissions: { deny: ["WebFetch"] } } },
      { ...ops, cli: { availableModels: ["haiku"], model: "claude-haiku-5-5" } },
      { match: {}, cli: { env: { A: "1" } } },
    ]),
  ).toEqual([]);
  expect(warned([])).toEqual([]);
});

describe("a policy for everybody that is not the last", () => {
  const line = (index: number) =>
    `managed.policies[${index}] is a catch-all (match: {}) but is not the last entry — policies after it will never match. Move it to the end.`;

  test("is named", () => {
    expect(warned([{}, eng])).toEqual([line(0)]);
    expect(warned([eng, { match: {} }, ops])).toEqual([line(1)]);
  });

  test("is named once, the first of several", () => {
    expect(warned([eng, {}, {}, {}])).toEqual([line(1)]);
  });

  test("is none where it is the last, or there is none", () => {
    expect(warned([eng, {}])).toEqual([]);
    expect(warned([eng, ops])).toEqual([]);
  });
});

test("a settings block beside a cli block is said to be ignored, in the policy that has both", () => {
  expect(
    warned([
      { ...eng, settings: {} },
      { cli: { model: "a" }, settings: { model: "b" } },
    ]),
  ).toEqual([
    "managed.policies[1] has a cli block and a settings block, which are two names of one thing: only cli is used. Put all its settings into one block.",
  ]);
});

describe("an empty list of models", () => {
  const line = (index: number) =>
    `managed policy ${index}: availableModels is an empty list, so every inference request for this role will be rejected. List the models this role may use.`;

  test("is said to reject everything, whatever else the policy says of models", () => {
    expect(warned([{ cli: { availableModels: [] } }])).toEqual([line(0)]);
    expect(
      warned([
        { cli: { availableModels: [], model: "claude-opus-4-7", enforceAvailableModels: true } },
      ]),
    ).toEqual([line(0)]);
  });

  test("is named for each policy that has it, also from the catch-all", () => {
    const filled = { ...ops, cli: { availableModels: ["opus"] } };
    expect(warned([eng, filled, { cli: { availableModels: [] } }])).toEqual([line(0), line(2)]);
  });
});

describe("names in the list of models that Claude Code resolves on the laptop", () => {
  const line = (names: string) =>
    `managed policy 0: availableModels contains ${names} — Claude Code resolves these names when picking a model, but requests hold the model's id, so these entries never match. List model ids or families (fable, opus, sonnet, haiku) instead.`;

  test("are named as they are written, in any case", () => {
    expect(
      warned([{ cli: { availableModels: ["opus", " OpusPlan ", "best", "default", "inherit"] } }]),
    ).toEqual([line("' OpusPlan ', 'best', 'default', 'inherit'")]);
  });

  test("are not those that the gateway reads like Claude Code", () => {
    expect(warned([{ cli: { availableModels: ["opus[1m]", "sonnet[1m]", "haiku"] } }])).toEqual([]);
  });
});

describe("a list of models without the one that Claude Code starts on", () => {
  const line = (which: string) =>
    `managed ${which}: availableModels leaves out claude-opus-4-7, the model Claude Code (as of this release) starts on when nobody has picked one, and neither model nor enforceAvailableModels is set, so those developers get a 400 on every request until they pick a listed model with /model. Add enforceAvailableModels: true so the Default option resolves to a listed model, or set model.`;
  const haiku = { availableModels: ["haiku"] };

  test("is named", () => {
    expect(warned([{ cli: haiku }])).toEqual([line("policy 0")]);
    expect(warned([{ cli: { availableModels: ["opus", "claude-opus-4-8"] } }])).toEqual([
      line("policy 0"),
    ]);
  });

  test("is named once for all policies that have it, also from the catch-all", () => {
    expect(warned([eng, { ...ops, cli: { availableModels: ["opus"] } }, { cli: haiku }])).toEqual([
      line("policies 0, 2"),
    ]);
  });

  test.each<[string, object]>([
    ["the model is in the list", { availableModels: ["claude-opus-4-7[1m]"] }],
    ["its family is", { availableModels: ["opus"] }],
    ["all models are", {}],
    ["the policy sets a model", { ...haiku, model: "claude-haiku-5-5" }],
    ["it sets an empty one", { ...haiku, model: "" }],
    ["the list is enforced", { ...haiku, enforceAvailableModels: true }],
    ["a variable sets a model", { ...haiku, env: { ANTHROPIC_MODEL: "x" } }],
    ["a variable sets the default", { ...haiku, env: { ANTHROPIC_DEFAULT_MODEL: "" } }],
    ["a variable sets the Opus of it", { ...haiku, env: { ANTHROPIC_DEFAULT_OPUS_MODEL: "x" } }],
  ])("is no matter where %s", (_, cli) => {
    expect(warned([{ cli }])).toEqual([]);
  });

  test.each<[string, object]>([
    ["the list is not enforced", { ...haiku, enforceAvailableModels: false }],
    [
      "variables set other models",
      { ...haiku, env: { ANTHROPIC_DEFAULT_HAIKU_MODEL: "x", ANTHROPIC_SMALL_FAST_MODEL: "x" } },
    ],
    ["ids are mapped", { ...haiku, modelOverrides: { "claude-opus-4-7": "claude-haiku-5-5" } }],
  ])("is where %s", (_, cli) => {
    expect(warned([{ cli }])).toEqual([line("policy 0")]);
  });
});

describe("ids of which Claude Code knows nothing", () => {
  const models = [
    { id: "mine", upstream_model: { anthropic: "weird" } },
    { id: "house", upstream_model: { anthropic: "us.anthropic.claude-opus-4-8-v1:0" } },
    { id: "my-claude-sonnet-5", upstream_model: { anthropic: "claude-opus-5" } },
    { id: "cheap", upstream_model: { anthropic: "claude-haiku-4-5" } },
  ];
  const line = (names: string, model: string, behavesAs: string) =>
    `Claude Code does not recognize these model IDs: ${names}. It runs them with the output limit and context window that its version assumes for an unknown model. To have Claude Code v2.1.287 or later give them their model's own, list them in modelPicker.options of the managed settings, for example {"model":"${model}","behavesAs":"${behavesAs}"}.`;
  const picker = (...ids: string[]) => ({
    modelPicker: { options: ids.map((model) => ({ model })) },
  });

  test("but of whose model it knows, are named, the first of them as an example", () => {
    expect(warned([], { models })).toEqual([line("'house', 'cheap'", "house", "claude-opus-4-8")]);
    expect(warned([{ cli: { availableModels: ["opus"] } }], { models })).toHaveLength(1);
  });

  test("are not, where some policy's picker has them", () => {
    expect(warned([{ ...eng, cli: picker("house") }, {}], { models })).toEqual([
      line("'cheap'", "cheap", "claude-haiku-4-5"),
    ]);
    expect(warned([{ cli: picker("house", "cheap") }], { models })).toEqual([]);
    expect(warned([], { models: [models[0], models[2]] })).toEqual([]);
  });
});

describe("settings outside a code block", () => {
  const line =
    "Claude Code settings outside a code: block do not reach the Code tab of a Claude Desktop connected through bootstrapUrl, even with serve_to_desktop: true. To reach it, write every policy's block under code: (which also changes how Claude Desktop runs Cowork and Chat). serve_to_desktop: false silences this and serves Claude Desktop sessions nothing";
  const cli = { model: "a" };

  test.each<[string, object[]]>([
    ["in a policy for Claude Desktop", [{ cli, desktop: {} }]],
    ["even when told to serve it", [{ cli, desktop: {}, serve_to_desktop: true }]],
    ["where the catch-all is for Claude Desktop", [{ ...eng, cli }, { desktop: {} }]],
  ])("are said not to reach the Code tab, %s", (_, policies) => {
    expect(warned(policies)).toEqual([line]);
  });

  test.each<[string, object[]]>([
    ["without Claude Desktop", [{ cli }]],
    [
      "with Claude Desktop in another policy only",
      [
        { ...eng, cli },
        { ...ops, desktop: {} },
      ],
    ],
    ["that are empty", [{ cli: {}, desktop: {} }]],
    [
      "that are not to be served there, in any policy",
      [{ ...eng, cli, desktop: {} }, { serve_to_desktop: false }],
    ],
  ])("are not, %s", (_, policies) => {
    expect(warned(policies)).toEqual([]);
  });
});

test("serve_to_desktop: false is said to be useless in each policy of a file with a code block", () => {
  const useless = (index: number) =>
    `managed.policies[${index}]: serve_to_desktop: false is ignored in a file that has a code: block, so that policy's settings are served to Claude Desktop's Code tab too. Remove it, or write every block under cli: (terminal Claude Code only)`;
  const refusing = { serve_to_desktop: false };
  expect(
    warned([{ ...eng, code: {}, ...refusing }, { ...ops, serve_to_desktop: true }, refusing]),
  ).toEqual([useless(0), useless(2)]);
  expect(warned([{ cli: { model: "a" }, ...refusing }])).toEqual([]);
});

test("warnings about a desktop block name the policy that it is written in, and not those that inherit it", () => {
  expect(warned([eng, { desktop: { banner: { text: "x" } } }])).toEqual([
    "managed.policies[1].desktop: banner.text is set but the banner is not enabled, so it is shown nowhere; set banner.enabled: true if it should be",
  ]);
});

test("they stand behind all others about the configuration", () => {
  const model = { id: "claude-x", upstream_model: { anthropic: "y" } };
  const all = warningsOf(loaded([{}, eng], { models: [model, model] }));
  expect(all[0]).toContain("listed more than once");
  expect(all.at(-1)).toContain("managed.policies[0] is a catch-all");
});

describe("hosts that Claude Desktop does not take", () => {
  const sandboxed = (...allowedDomains: string[]) => ({
    cli: { sandbox: { network: { allowedDomains } } },
    serve_to_desktop: false,
  });

  test("are named where it is told the same ones as Claude Code", () => {
    expect(
      warned([
        { ...sandboxed("a.example", "*.b.example:443", "*.com", "https://c.example"), desktop: {} },
      ]),
    ).toEqual([
      "managed policy 0: Claude Desktop drops '*.com', 'https://c.example' of sandbox.network.allowedDomains, which Claude Code honors: it takes *, localhost, host[:port] or *.host[:port], without a scheme, a path or an IPv6 address. desktop.coworkEgressAllowedHosts may list others.",
    ]);
  });

  test("are nobody's concern without Claude Desktop, or where it is told others", () => {
    expect(warned([sandboxed("*.com")])).toEqual([]);
    const others = { coworkEgressAllowedHosts: ["a.example"] };
    expect(warned([{ ...sandboxed("*.com"), desktop: others }])).toEqual([]);
  });
});

test("a start model that is denied is told apart from one that is not listed", () => {
  const lines = warned([{ cli: { deniedModels: ["opus"] } }]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toStartWith(
    "managed policy 0: availableModels or deniedModels leaves out claude-opus-4-7, ",
  );
});

test("what is misspelt inside a document is named where it is written, and not where it is inherited", () => {
  const lines = warned([
    eng,
    { ...ops, cli: { sandbox: { enable: true } } },
    { settings: { permissions: { deny: ["Webfetch"] } } },
  ]);
  expect(lines.map((line) => line.split(": ", 1)[0])).toEqual([
    "managed.policies[1].cli.sandbox.enable",
    "managed.policies[2].settings.permissions.deny[0]",
  ]);
});

test("a match that fits nobody is named", () => {
  const [line] = warned([{ match: { email_domain: "*.corp.example" } }, {}]);
  expect(line).toStartWith("managed.policies[0].match.email_domain: '*.corp.example' ");
});

describe("of a long list the first ten are named,", () => {
  const many = Array.from({ length: 13 }, (_, index) => index);

  test("of names in a list of models", () => {
    const [line] = warned([{ cli: { availableModels: ["opus", ...many.map(() => "best")] } }]);
    expect(line).toContain(
      `contains ${many
        .slice(3)
        .map(() => "'best'")
        .join(", ")} and 3 more —`,
    );
  });

  test("of policies without a start model", () => {
    const policies = many.map((index) => ({
      match: { groups: [`g${index}`] },
      cli: { availableModels: ["haiku"] },
    }));
    expect(warned(policies)[0]).toStartWith(
      "managed policies 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more: availableModels leaves out",
    );
  });

  test("of ids that Claude Code does not know", () => {
    const models = many.map((index) => ({
      id: `house-${index}`,
      upstream_model: { anthropic: "claude-opus-4-8" },
    }));
    expect(warned([], { models })[0]).toContain("'house-9' and 3 more. It runs them");
  });

  test("of hosts, none of them at length", () => {
    const allowedDomains = many.map(() => `https://${"x".repeat(5000)}`);
    const [line = ""] = warned([
      { cli: { sandbox: { network: { allowedDomains } } }, serve_to_desktop: false, desktop: {} },
    ]);
    expect(line).toContain("…' and 3 more of sandbox.network.allowedDomains");
    expect(line.length).toBeLessThan(1200);
  });
});

describe("entries that mean no model there is", () => {
  const line = (list: string, entries: string, result: string) =>
    `managed policy 0: ${list} contains ${entries}, which is no model of this gateway and ${result}. Check the spelling; there are no wildcards.`;
  const start = { model: "claude-haiku-4-5" };

  test("are named, in both lists", () => {
    expect(warned([{ cli: { ...start, availableModels: ["haiku", "claude-hiaku-4-5"] } }])).toEqual(
      [line("availableModels", "'claude-hiaku-4-5'", "allows nothing")],
    );
    expect(warned([{ cli: { ...start, deniedModels: ["opus", "claude-opus-*", "*"] } }])).toEqual([
      line("deniedModels", "'claude-opus-*', '*'", "denies nothing"),
    ]);
  });

  test("are none where the operator has such a model, or sends one there", () => {
    const models = [{ id: "house", upstream_model: { anthropic: "up-house" } }];
    const lists = { availableModels: ["house"], deniedModels: ["up-house"] };
    expect(warned([{ cli: { ...start, ...lists } }], { models })).toEqual([]);
  });
});

describe("what the catch-all forbids inside a key that a policy replaces whole", () => {
  const base = { cli: { sandbox: { network: { deniedDomains: ["a.example", "b.example"] } } } };
  const line =
    "managed policy 0 sets a key whole and drops what the catch-all forbids there: sandbox.network.deniedDomains. Repeat the entries if they are to hold for these people, too.";

  test("is named when an entry is lost", () => {
    expect(warned([{ ...eng, cli: { sandbox: { enabled: true } } }, base])).toEqual([line]);
    const one = { sandbox: { network: { deniedDomains: ["a.example"] } } };
    expect(warned([{ ...eng, cli: one }, base])).toEqual([line]);
  });

  test("is not where it is repeated, or the key left alone", () => {
    expect(warned([{ ...eng, ...base }, base])).toEqual([]);
    expect(warned([{ ...eng, cli: { model: "opus" } }, base])).toEqual([]);
  });
});

test("a list of exact versions does not need the model that Claude Code starts on", () => {
  const exact = { availableModels: ["claude-opus-5"], availableModelsMatch: "exact" };
  expect(warned([{ cli: exact }])).toEqual([]);
});
