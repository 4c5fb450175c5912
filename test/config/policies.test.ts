// `managed:` as the configuration is read: what is refused, with its reason in its place, and what a policy then is. The keys of
// the documents have files of their own: claude-code.test.ts, claude-desktop.test.ts.
import { describe, expect, test } from "bun:test";
import { describeRefused, edited, load, problemsOf, type Refused, said } from "./samples.ts";

const refusal = (what: string, managed: unknown, ...expected: string[]): Refused => [
  what,
  (c) => (c["managed"] = managed),
  ...expected.map((one) => `managed${one}`),
];
/** Of one policy. */
const ofPolicy = (what: string, policy: unknown, ...expected: string[]): Refused =>
  refusal(what, { policies: [policy] }, ...expected.map((one) => `.policies[0]${one}`));
const ofMatch = (what: string, match: unknown, ...expected: string[]): Refused =>
  ofPolicy(what, { match }, ...expected.map((one) => `.match${one}`));

const emptyDomain =
  ".email_domain → match.email_domain is empty — an empty domain disables the match and the policy would apply to every authenticated user; set a domain or remove the key";
const noDomain =
  '.email_domain → match.email_domain contains "@", whitespace, or "," — write one bare domain (e.g. acme.com, not a full email address or a list); the matcher compares a single domain exactly';
const besideCode = (key: string) =>
  `.${key} → this policy has a code block and a ${key} block. Put all its settings into the one code block`;
const elsewhereThanCode = (key: string, first: number) =>
  `.${key} → managed.policies[${first}] has a code block, so this ${key} block's rules would not reach Claude Desktop's Code tab. Write every block under code, or every block under cli (terminal Claude Code only)`;
const noPolicyKey =
  "unknown key; known here: match, code, cli, settings, desktop, serve_to_desktop";

describeRefused({
  "the section": [
    refusal("nothing in it", null, " → must be a mapping, got nothing"),
    refusal("a list", [], " → must be a mapping, got a list"),
    refusal(
      "keys that it does not have",
      { default: 1, merge: 2, serve_to_desktop: true },
      ".default → unknown key; known here: policies",
      ".merge → unknown key; known here: policies",
      ".serve_to_desktop → unknown key; known here: policies",
    ),
    refusal("policies without a list", { policies: null }, ".policies → must be a list (array), got nothing"),
    refusal("policies by name", { policies: { a: {} } }, ".policies → must be a list (array), got a mapping"),
  ],
  "a policy": [
    ofPolicy("nothing in its place", null, " → must be a mapping, got nothing"),
    ofPolicy("a text", "eng", " → must be a mapping, got text of 3 characters"),
    ofPolicy("a list", [], " → must be a mapping, got a list"),
    ofPolicy(
      "keys that it does not have",
      { name: "x", id: 1, description: "", priority: 1, limits: {}, rate_limits: {}, upstreams: [], models: [] },
      ...["name", "id", "description", "priority", "limits", "rate_limits", "upstreams", "models"].map((key) => `.${key} → ${noPolicyKey}`), // prettier-ignore
    ),
    ofPolicy("a key with a slip", { mach: {} }, '.mach → unknown key; did you mean "match"?'),
    ofPolicy("serve_to_desktop that is no yes or no", { serve_to_desktop: "yes" }, '.serve_to_desktop → must be true or false, got "yes"'),
    ofPolicy("serve_to_desktop as a number", { serve_to_desktop: 1 }, ".serve_to_desktop → must be true or false, got 1"),
    ...["cli", "code", "settings", "desktop"].flatMap((key) => [
      ofPolicy(`${key} with nothing in it`, { [key]: null }, `.${key} → must be a mapping, got nothing`),
      ofPolicy(`${key} as a list`, { [key]: [] }, `.${key} → must be a mapping, got a list`),
      ofPolicy(`${key} as a text`, { [key]: "x" }, `.${key} → must be a mapping, got text of 1 characters`),
    ]),
  ],
  "whom a policy is for": [
    ofMatch("nothing, which is not everybody", null, " → must be a mapping with groups, email_domain, both, or neither, got nothing"),
    ofMatch("a group without a list", "eng", " → must be a mapping with groups, email_domain, both, or neither, got text of 3 characters"),
    ofMatch(
      "keys that it does not have",
      { users: [], emails: [], not_groups: [], all_groups: [], claims: {}, role: "x" },
      ...["users", "emails", "not_groups", "all_groups", "claims", "role"].map((key) => `.${key} → unknown key; known here: groups, email_domain`), // prettier-ignore
    ),
    ofMatch("no group", { groups: [] }, ".groups → match.groups is empty — the policy would match no one (and is not a catch-all); list groups or remove the key"),
    ofMatch("groups without a value", { groups: null }, ".groups → must be a list (array), got nothing"),
    ofMatch("one group without a list", { groups: "eng" }, '.groups → must be a list (array), got "eng"'),
    ofMatch("a group that is a number", { groups: ["a", 1] }, ".groups[1] → must be an IdP group name, got 1; write it in quotes"),
    ofMatch("a group without a name", { groups: ["a", ""] }, ".groups[1] → match.groups contains an empty entry — set a group name or remove the entry"),
    ofMatch("an empty domain", { email_domain: "" }, emptyDomain),
    ofMatch("a domain of blanks", { email_domain: " \u{a0}" }, emptyDomain),
    ofMatch("an @ and no domain", { email_domain: " @" }, emptyDomain),
    ofMatch("an address", { email_domain: "ada@example.com" }, noDomain),
    ofMatch("two @", { email_domain: "@@example.com" }, noDomain),
    ofMatch("two domains", { email_domain: "a.example,b.example" }, noDomain),
    ofMatch("two domains with a blank between them", { email_domain: "a.example b.example" }, noDomain),
    ofMatch("a tab", { email_domain: "a\texample" }, noDomain),
    ofMatch("a list of domains", { email_domain: ["a.example"] }, ".email_domain → must be an e-mail domain, for example corp.example.com, got a list"),
    ofMatch("a domain without a value", { email_domain: null }, ".email_domain → must be an e-mail domain, for example corp.example.com, got nothing"),
    ofMatch("all that is wrong, at once", { groups: ["", "a", ""], email_domain: "" },
      ".groups[0] → match.groups contains an empty entry — set a group name or remove the entry",
      ".groups[2] → match.groups contains an empty entry — set a group name or remove the entry",
      emptyDomain,
    ), // prettier-ignore
  ],
  "code beside cli": [
    ofPolicy("in one policy", { code: {}, cli: {} }, besideCode("cli")),
    ofPolicy("settings in one policy", { code: {}, settings: {} }, besideCode("settings")),
    ofPolicy("both in one policy", { code: {}, cli: {}, settings: {} }, besideCode("cli"), besideCode("settings")),
    refusal(
      "in others, before it and behind it",
      { policies: [{ cli: {} }, { code: {} }, { settings: {} }, { code: {} }, { desktop: {} }, { cli: {}, settings: {} }] },
      `.policies[0]${elsewhereThanCode("cli", 1)}`,
      `.policies[2]${elsewhereThanCode("settings", 1)}`,
      `.policies[5]${elsewhereThanCode("cli", 1)}`,
      `.policies[5]${elsewhereThanCode("settings", 1)}`,
    ),
    refusal(
      "in one and in another, each with its reason",
      { policies: [{ code: {}, cli: {} }, { cli: {} }] },
      `.policies[0]${besideCode("cli")}`,
      `.policies[1]${elsewhereThanCode("cli", 0)}`,
    ),
  ],
  "documents, under whichever key they stand": [
    refusal(
      "all that is wrong in all policies, at once",
      { policies: [{ cli: { availableModels: "opus", modle: 1 } }, { settings: { model: 5 }, desktop: { bootstrapUrl: "x" } }] },
      '.policies[0].cli.availableModels → must be a list (array), got "opus"',
      '.policies[0].cli.modle → unknown key; did you mean "model"?',
      ".policies[1].settings.model → must be text, got 5; write it in quotes",
      ".policies[1].desktop.bootstrapUrl → not deliverable via bootstrap — set it through MDM/local managed configuration instead",
    ),
    ofPolicy("code is held to the same table", { code: { availableModels: "opus" } }, '.code.availableModels → must be a list (array), got "opus"'),
    ofPolicy("settings beside cli do not count, and must be right", { cli: {}, settings: { modle: 1 } }, '.settings.modle → unknown key; did you mean "model"?'),
  ],
}); // prettier-ignore

test("a setting is blamed where it stands in the file", () => {
  const text = edited((c) => (c["managed"] = { policies: [{}, { match: { groups: [""] } }] }));
  const [problem] = problemsOf(text);
  const lines = text.split("\n");
  expect(lines[(problem?.line ?? 0) - 1]?.slice((problem?.column ?? 0) - 1)).toBe('""');
});

describe("accepted:", () => {
  test.each<[string, unknown]>([
    ["no section", undefined],
    ["a section without policies", {}],
    ["an empty list", { policies: [] }],
    ["a policy that says nothing", { policies: [{}] }],
    ["several for everybody", { policies: [{}, { match: {} }] }],
    ["documents that say nothing", { policies: [{ cli: {}, desktop: {} }] }],
    [
      "groups with blanks, commas and in any case",
      { policies: [{ match: { groups: [" ", "A,b", "*"] } }] },
    ],
    ["a domain that could not be one", { policies: [{ match: { email_domain: "*.x_y" } }] }],
    ["code in every policy", { policies: [{ code: {} }, { code: {} }, { desktop: {} }] }],
    ["cli and settings in one policy", { policies: [{ cli: {}, settings: {} }] }],
  ])("%s", (_, managed) => {
    expect(said(edited((c) => (c["managed"] = managed)))).toEqual([]);
  });
});

describe("a policy that is read", () => {
  const read = (policy: object) =>
    load(edited((c) => (c["managed"] = { policies: [policy] }))).config.policies[0];

  test("has its domain as it is compared, and its groups as they are written", () => {
    expect(read({ match: { email_domain: "  @Example.COM ", groups: [" Eng "] } })).toMatchObject({
      emailDomain: "example.com",
      groups: [" Eng "],
    });
    expect(read({})).toMatchObject({ emailDomain: undefined, groups: undefined });
  });

  test("has its settings under one name, and remembers under which they stood", () => {
    expect(read({ code: { model: "a" } })).toMatchObject({
      settings: { model: "a" },
      settingsKey: "code",
      ignoresSettings: false,
    });
    expect(read({ cli: { model: "a" } })).toMatchObject({
      settings: { model: "a" },
      settingsKey: "cli",
      ignoresSettings: false,
    });
    expect(read({ settings: { model: "a" } })).toMatchObject({
      settings: { model: "a" },
      settingsKey: "settings",
      ignoresSettings: false,
    });
    expect(read({ settings: { model: "a" }, cli: {} })).toMatchObject({
      settings: {},
      settingsKey: "cli",
      ignoresSettings: true,
    });
    expect(read({ desktop: {} })).toMatchObject({
      settings: undefined,
      settingsKey: undefined,
      desktop: {},
    });
  });

  test("keeps its documents as they are written, key by key", () => {
    const cli = {
      permissions: { somethingNew: null, deny: ["Bash", "Bash"], allow: [] },
      env: { B: "1", A: "" },
      availableModels: [" Opus "],
    };
    const desktop = { zzz: { b: 1, a: [null] }, disableAutoUpdates: true };
    const policy = read({ desktop, cli });
    expect(JSON.stringify(policy?.settings)).toBe(JSON.stringify(cli));
    expect(JSON.stringify(policy?.desktop)).toBe(JSON.stringify(desktop));
  });

  test("has a setting of two names under the one that the merge and clients know", () => {
    const list = [{ source: "github", repo: "a/b" }];
    expect(read({ cli: { allowedMarketplaces: list } })?.settings).toEqual({
      strictKnownMarketplaces: list,
    });
  });

  test("takes variables in its documents and its match", () => {
    const text = edited(
      (c) =>
        (c["managed"] = {
          policies: [{ match: { email_domain: "${D}" }, cli: { env: { A: "${V}" } } }],
        }),
    );
    const [policy] = load(text, { env: { D: "Example.com", V: "v" } }).config.policies;
    expect(policy).toMatchObject({ emailDomain: "example.com", settings: { env: { A: "v" } } });
    expect(said(text, { env: { D: "", V: "v" } })).toEqual([
      `managed.policies[0].match${emptyDomain}`,
    ]);
  });
});
