// An explanation as it is read. What is in one is in explain.test.ts.
import { describe, expect, test } from "bun:test";
import { explain } from "../../src/policy/explain/explain.ts";
import { explanationText } from "../../src/policy/explain/text.ts";
import { type Edit, edited, load } from "../config/samples.ts";

type Asking = { email?: string; groups?: string[]; model?: string };

function textOf(edit: Edit, { email, groups = [], model }: Asking = {}): string {
  return explanationText(explain(load(edited(edit)), { email, groups }, { model }));
}

/** What there is, so that a new model in the catalog changes nothing here. */
const models = ["claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5"];

function company(c: Parameters<Edit>[0]): void {
  c.oidc.allowed_email_domains = ["corp.example", "partner.example"];
  c.failover = {};
  const anthropic = { provider: "anthropic", auth: { api_key: "k" }, models };
  const bedrock = { provider: "bedrock", auth: {}, models };
  c.upstreams = [
    { ...bedrock, name: "east", region: "us-east-1", priority: 0, weight: 3 },
    { ...bedrock, name: "west", region: "us-west-2", priority: 0 },
    { ...anthropic, priority: 1 },
    { ...anthropic, name: "lab", priority: 2, groups: ["ml"] },
  ];
  c.managed = {
    policies: [
      { match: { groups: ["Platform", "sre"] }, code: { permissions: { allow: ["Bash(git *)"] } } },
      {
        match: { groups: ["interns"] },
        code: {
          availableModels: ["haiku"],
          permissions: { deny: ["WebSearch"], defaultMode: "plan" },
          env: { HTTPS_PROXY: "http://proxy.corp.example:3128" },
        },
      },
      { match: { email_domain: "partner.example" }, code: { availableModels: [] } },
      {
        match: {},
        code: {
          availableModels: ["opus", "haiku"],
          permissions: { deny: ["WebFetch", "Read(./.env)"] },
        },
        desktop: { disableAutoUpdates: true },
      },
    ],
  };
}

test("an intern who asks for Opus", () => {
  const asked = { email: "ida@corp.example", groups: ["interns"], model: "claude-opus-4-8" };
  expect(textOf(company, asked)).toBe(`ida@corp.example, in interns
Sign-in: admitted

Policies: policy 1 applies, over policy 3
  0  does not fit  needs one of Platform, sre
  1  applies       needs group interns
  2  comes later   is for @partner.example
  3  under 1       is for everybody

Settings of Claude Code: served everywhere, Claude Desktop included
  availableModels          policy 1 over catch-all  haiku
  permissions.deny         catch-all                WebFetch, Read(./.env)
  permissions.deny         policy 1                 WebSearch
  permissions.defaultMode  policy 1                 plan
  env.HTTPS_PROXY          policy 1                 (30 characters)

Claude Desktop: configured
  disableAutoUpdates  catch-all  true

Models: 1 of 3, by availableModels of policy 1
  claude-haiku-4-5-20251001

Model claude-opus-4-8: refused; the client reads
  model claude-opus-4-8 is not in your role's availableModels allowlist
`);
});

test("somebody from elsewhere, whose group is spelled differently, and where Haiku would go", () => {
  const asked = { email: "x@other.example", groups: ["platform"], model: "claude-haiku-4-5" };
  const text = textOf(company, asked);
  expect(text).toStartWith(`x@other.example, in platform
Sign-in: refused, email domain not allowed (the rest is what would hold if it were not)

Policies: policy 3 applies
  0  does not fit  needs one of Platform, sre (spelled differently: platform)
`);
  expect(text).toEndWith(`
Model claude-haiku-4-5: allowed, and sent to
  1  east       bedrock    us.anthropic.claude-haiku-4-5-20251001-v1:0 (75% of requests)
  1  west       bedrock    us.anthropic.claude-haiku-4-5-20251001-v1:0 (25% of requests)
  2  anthropic  anthropic  claude-haiku-4-5-20251001
  -  lab        anthropic  not used: only for people in ml
`);
});

test("nothing is configured", () => {
  expect(textOf((c) => (c.upstreams[0].models = models)))
    .toBe(`Somebody without an e-mail address, in no group
Sign-in: admitted

Policies: none are configured, so every model is allowed

Settings of Claude Code: none are served

Claude Desktop: not configured, as no policy has a desktop block

Models: all 3
  claude-haiku-4-5-20251001, claude-opus-4-8, claude-sonnet-4-6
`);
});

describe("says", () => {
  const policies = (...list: object[]): Edit => {
    return (c) => (c.managed = { policies: list });
  };
  const lineOf = (start: string, edit: Edit, asking?: Asking) =>
    textOf(edit, asking)
      .split("\n")
      .find((line) => line.startsWith(start));

  test("what it means that no policy applies", () => {
    const edit = policies({ match: { groups: ["eng"] }, desktop: {} });
    expect(lineOf("Policies", edit)).toBe(
      "Policies: none applies, so no settings are served and every model is allowed",
    );
    expect(lineOf("Claude Desktop", edit)).toBe(
      "Claude Desktop: not configured, as no policy applies",
    );
  });

  test("which policy would fit, too, had another not come first", () => {
    const edit = policies({ match: { groups: ["a"] } }, { match: { groups: ["b"] } });
    expect(lineOf("  1", edit, { groups: ["a", "b"] })).toBe(
      "  1  comes later  needs group b (which fits, too)",
    );
    expect(lineOf("  0", edit, { groups: ["a", "b"] })).toBe("  0  applies      needs group a");
  });

  test("which can never be reached", () => {
    const edit = policies({}, { match: { groups: ["b"] } });
    expect(lineOf("  1", edit)).toBe("  1  never reached  needs group b");
  });

  test("why sessions in Claude Desktop are not served", () => {
    expect(lineOf("Settings", policies({ cli: { model: "haiku" } }))).toBe(
      "Settings of Claude Code: served everywhere but in Claude Desktop (they are under cli)",
    );
  });

  test("that settings are empty, and that a list is", () => {
    expect(lineOf("Settings", policies({ code: {} }))).toEndWith(": served, and empty");
    expect(lineOf("  availableModels", policies({ code: { availableModels: [] } }))).toEndWith(
      "(empty list)",
    );
    expect(lineOf("Models", policies({ code: { availableModels: [] } }))).toMatch(
      /^Models: none of \d+, by availableModels of policy 0$/,
    );
  });

  test("every entry of a list, however long it is", () => {
    const deny = Array.from({ length: 200 }, (_, index) => `Bash(command-${index} *)`);
    const text = textOf(policies({ code: { permissions: { deny } } }));
    for (const rule of deny) expect(text).toContain(rule);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(130);
  });

  test("hidden and moving characters by their numbers, wherever they come from", () => {
    const text = textOf(policies({ code: { model: "a\u001b[2Jb", language: "x\u202ey\nz" } }), {
      email: "ida\u0007@corp.example",
      groups: ["g\u200b"],
      model: "m\u009b1m",
    });
    expect(text).not.toMatch(/[^\P{C}\n]/u);
    expect(text).toContain("a\\u{1b}[2Jb");
    expect(text).toContain("x\\u{202e}y\\u{a}z");
    expect(text).toContain("in g\\u{200b}");
  });
});
