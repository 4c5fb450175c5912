// What is said of a person and a configuration, as data. That it is what is served is shown against the handlers themselves,
// here and, through the command line and a running gateway, in test/gateway/explain.test.ts.
import { describe, expect, test } from "bun:test";
import { explain, type Explanation } from "../../src/policy/explain/explain.ts";
import { type Edit, edited, load } from "../config/samples.ts";

/** Of the machine on which it is explained. */
const env = { MCP_KEY: "SUPERSECRET", ON: "on", MODEL: "claude-opus-4-8", SCOPE: "read:all" };

type Asking = { email?: string; groups?: string[]; model?: string; showValues?: boolean };

function explained(edit: Edit, { email, groups = [], ...asked }: Asking = {}): Explanation {
  return explain(load(edited(edit), { env }), { email, groups }, asked);
}

const withPolicies =
  (...policies: object[]): Edit =>
  (c) =>
    (c.managed = { policies });

const eng = { match: { groups: ["eng", "ops"] } };
const staff = { match: { email_domain: "corp.example" } };
const both = { match: { groups: ["eng"], email_domain: "corp.example" } };
const everybody = { match: {} };

describe("sign-in:", () => {
  const signIn = (edit: Edit, asking: Asking) => explained(edit, asking).signIn;
  const domains: Edit = (c) => (c.oidc.allowed_email_domains = ["corp.example"]);
  const groups: Edit = (c) => (c.oidc.allowed_groups = ["eng"]);
  const google: Edit = (c) => {
    c.oidc.google_groups = {
      service_account_json_path: "/key.json",
      admin_email: "a@corp.example",
    };
  };

  test.each<[string, Edit, Asking]>([
    ["anybody, where nothing is asked for", () => undefined, {}],
    ["an address of an allowed domain", domains, { email: "ida@corp.example" }],
    ["a member of an allowed group", groups, { groups: ["other", "eng"] }],
    ["an address that Google's directory can be asked for", google, { email: "ida@corp.example" }],
  ])("%s is admitted", (_what, edit, asking) => {
    expect(signIn(edit, asking)).toEqual({ admitted: true, why: null });
  });

  test.each<[string, Edit, Asking, string]>([
    ["another domain", domains, { email: "ida@other.example" }, "email domain not allowed"],
    [
      "no address",
      domains,
      {},
      "oidc.allowed_email_domains asks for an e-mail address, and none is given",
    ],
    ["no group", groups, {}, "user is not a member of an allowed group"],
    ["nobody", google, {}, "oidc.google_groups needs an e-mail address to look up groups by"],
  ])("%s is refused, with the reason", (_what, edit, asking, why) => {
    expect(signIn(edit, asking)).toEqual({ admitted: false, why });
  });

  test("the address counts wherever the IdP has it", () => {
    const claim: Edit = (c) => {
      c.oidc.email_claim = "/deep/mail";
      domains(c);
    };
    expect(signIn(claim, { email: "ida@corp.example" }).admitted).toBe(true);
  });
});

describe("policies:", () => {
  const outcomes = ({ policies }: Explanation) => policies.map(({ outcome }) => outcome);

  test("the first that fits applies, those before it do not fit, and the catch-all is under it", () => {
    const e = explained(withPolicies(eng, staff, both, everybody), { email: "a@corp.example" });
    expect(outcomes(e)).toEqual(["does not fit", "applies", "comes later", "laid under"]);
    expect([e.policy, e.base]).toEqual([1, 3]);
  });

  test("the catch-all that applies by itself has none under it", () => {
    const e = explained(withPolicies(eng, everybody));
    expect(outcomes(e)).toEqual(["does not fit", "applies"]);
    expect([e.policy, e.base]).toEqual([1, null]);
  });

  test("what stands behind a catch-all is never reached, by whomever", () => {
    const policies = withPolicies(eng, everybody, staff, everybody);
    expect(outcomes(explained(policies, { groups: ["eng"] }))).toEqual([
      "applies",
      "laid under",
      "never reached",
      "never reached",
    ]);
    expect(outcomes(explained(policies)).slice(2)).toEqual(["never reached", "never reached"]);
  });

  test("none applies where none fits, and there is no catch-all to fall back on", () => {
    const e = explained(withPolicies(eng, staff));
    expect(outcomes(e)).toEqual(["does not fit", "does not fit"]);
    expect([e.policy, e.base]).toEqual([null, null]);
  });

  test("each says what it asks for", () => {
    const only = { match: { groups: ["eng"] } };
    expect(
      explained(withPolicies(eng, only, staff, both, everybody)).policies.map((p) => p.asksFor),
    ).toEqual([
      ["needs one of eng, ops"],
      ["needs group eng"],
      ["is for @corp.example"],
      ["needs group eng", "is for @corp.example"],
      [],
    ]);
  });

  test("of two things that are asked for, the one that is missing is named", () => {
    const unmet = (asking: Asking) => explained(withPolicies(both), asking).policies[0]?.unmet;
    expect(unmet({ groups: ["eng"] })).toEqual(["is for @corp.example"]);
    expect(unmet({ email: "a@corp.example" })).toEqual(["needs group eng"]);
    expect(unmet({ email: "a@corp.example", groups: ["eng"] })).toEqual([]);
    expect(unmet({})).toHaveLength(2);
  });

  test("a policy that would fit and comes later has nothing unmet", () => {
    const e = explained(withPolicies(eng, staff), { email: "a@corp.example", groups: ["ops"] });
    expect(e.policies[1]).toMatchObject({ outcome: "comes later", unmet: [] });
  });

  test("a group that would fit but for its spelling is pointed out", () => {
    const named = withPolicies({ match: { groups: ["Café"] } });
    const misspelt = (groups: string[]) => explained(named, { groups }).policies[0]?.misspelt;
    const decomposed = "Cafe\u0301";
    expect(misspelt(["cafés", "café", " Café ", decomposed])).toEqual([
      "café",
      " Café ",
      decomposed,
    ]);
    expect(misspelt(["Café", "café"])).toEqual([]);
  });
});

describe("settings:", () => {
  const settingsOf = (edit: Edit, asking: Asking = {}) => explained(edit, asking).settings;
  const telemetry: Edit = (c) => (c.telemetry = { forward_to: [{ url: "https://otel.example" }] });

  test("keys come from the policy, the catch-all below it, both, or the gateway", () => {
    const { keys } = settingsOf(
      (c) => {
        telemetry(c);
        c.pricing = { multiplier: 0.5 };
        withPolicies(
          { ...eng, code: { model: "haiku", env: { A: "1" }, deniedModels: ["opus"] } },
          { ...everybody, code: { effortLevel: "high", model: "opus", deniedModels: ["fable"] } },
        )(c);
      },
      { groups: ["eng"], showValues: true },
    );
    expect(keys).toMatchObject({
      effortLevel: { from: ["base"], value: "high" },
      model: { from: ["policy"], overruled: ["base"], value: "haiku" },
      deniedModels: { from: ["base", "policy"] },
      env: {
        from: ["gateway", "policy"],
        members: {
          OTEL_METRICS_EXPORTER: { from: ["gateway"], value: "otlp" },
          A: { from: ["policy"], value: "1" },
        },
      },
      modelPricing: { from: ["gateway"], value: { multiplier: 0.5 } },
    });
  });

  test("a policy's own prices overrule the gateway's", () => {
    const { keys } = settingsOf((c) => {
      c.pricing = { multiplier: 0.5 };
      withPolicies({ ...everybody, code: { modelPricing: { multiplier: 0.9 } } })(c);
    });
    expect(keys.modelPricing).toMatchObject({ from: ["policy"], overruled: ["gateway"] });
  });

  test("nothing is served where there are policies and none fits", () => {
    const edit: Edit = (c) => {
      telemetry(c);
      withPolicies({ ...eng, code: { model: "haiku" } })(c);
    };
    expect(settingsOf(edit)).toMatchObject({ served: false, keys: {} });
  });

  test("without policies what the gateway adds is served, and nothing where it adds nothing", () => {
    expect(settingsOf(telemetry)).toMatchObject({
      served: true,
      keys: { env: { from: ["gateway"] } },
    });
    expect(settingsOf(() => undefined).served).toBe(false);
  });

  test("those under code reach Claude Desktop, those under cli only when the policy says so", () => {
    const model = { model: "haiku" };
    const reach = (policy: object) => {
      const { under, reachesDesktop } = settingsOf(withPolicies({ ...everybody, ...policy }));
      return [under, reachesDesktop];
    };
    expect(reach({ code: model })).toEqual(["code", true]);
    expect(reach({ cli: model })).toEqual(["cli", false]);
    expect(reach({ cli: model, serve_to_desktop: true })).toEqual(["cli", true]);
    expect(reach({})).toEqual([null, false]);
  });

  test("a policy without a block of its own has its catch-all's", () => {
    const edit = withPolicies(eng, { ...everybody, code: { model: "haiku" } });
    expect(settingsOf(edit, { groups: ["eng"] })).toMatchObject({
      under: "code",
      reachesDesktop: true,
      keys: { model: { from: ["base"] } },
    });
  });
});

describe("Claude Desktop:", () => {
  const desktopOf = (edit: Edit, asking: Asking = {}) => explained(edit, asking).desktop;

  test("is configured by the policy's block over the catch-all's", () => {
    const edit = withPolicies(
      { ...eng, desktop: { disableAutoUpdates: true, disabledBuiltinTools: ["Bash"] } },
      { ...everybody, desktop: { disableAutoUpdates: false, disabledBuiltinTools: ["WebFetch"] } },
    );
    expect(desktopOf(edit, { groups: ["eng"] })).toEqual({
      configured: true,
      why: null,
      keys: {
        disableAutoUpdates: { from: ["policy"], overruled: ["base"], value: true },
        disabledBuiltinTools: {
          from: ["base", "policy"],
          entries: [
            { from: ["base"], value: "WebFetch" },
            { from: ["policy"], value: "Bash" },
          ],
        },
      },
    });
  });

  test("is configured by an empty block, too", () => {
    expect(desktopOf(withPolicies({ ...everybody, desktop: {} }))).toMatchObject({
      configured: true,
      keys: {},
    });
  });

  test("is not, for one of three reasons", () => {
    const own = { ...eng, desktop: {} };
    expect(desktopOf(withPolicies(everybody)).why).toBe("not_configured");
    expect(desktopOf(withPolicies(own)).why).toBe("no_policy_matched");
    expect(desktopOf(withPolicies(own, everybody)).why).toBe("policy_not_opted_in");
  });
});

describe("values that may be secret", () => {
  const secret = "xoxb-a-secret-of-30-characters";
  const length = "(30 characters)";
  const edit = withPolicies({
    ...everybody,
    code: {
      env: { TOKEN: secret, ONE: "1", OFF: null, PORT: 8080 },
      hooks: {
        Stop: [{ hooks: [{ type: "http", url: "https://h.example", headers: { a: secret } }] }],
      },
      managedMcpServers: {
        wiki: { type: "http", url: "https://wiki.example", headers: { authorization: secret } },
      },
      pluginConfigs: { "jira@corp": { options: { token: secret } } },
    },
    desktop: {
      managedMcpServers: [
        { name: "local", transport: "stdio", command: "npx", env: { KEY: secret } },
        {
          name: "wiki",
          transport: "http",
          url: "https://wiki.example",
          headers: { authorization: secret },
          oauth: {
            clientId: "a",
            clientSecret: secret,
            authorizationServer: ["https://a.example"],
          },
        },
      ],
    },
  });

  test("appear nowhere, only their lengths do", () => {
    const { settings, desktop } = explained(edit);
    const shown = JSON.stringify([settings, desktop]);
    expect(shown).not.toContain(secret);
    expect(shown.split(length)).toHaveLength(8);
    expect(settings.keys.env).toMatchObject({
      members: {
        TOKEN: { value: length },
        ONE: { value: "(1 character)" },
        OFF: { value: "(4 characters)" },
        PORT: { value: "(4 characters)" },
      },
    });
    expect(settings.keys.managedMcpServers).toMatchObject({
      value: { wiki: { url: "https://wiki.example", headers: { authorization: length } } },
    });
  });

  test("appear when they are asked for", () => {
    const { settings, desktop } = explained(edit, { showValues: true });
    expect(JSON.stringify([settings, desktop]).split(secret)).toHaveLength(8);
  });

  const fromOutside = withPolicies(
    { ...eng, code: { sandbox: { network: { deniedDomains: ["${MCP_KEY}"] } } } },
    {
      ...everybody,
      code: {
        apiKeyHelper: "echo ${MCP_KEY}",
        otelHeadersHelper: "echo ${MCP_KEY} x",
        hooks: { Stop: [{ hooks: [{ type: "command", command: "curl -u ${MCP_KEY} x" }] }] },
        managedMcpServers: {
          wiki: { type: "http", url: "https://wiki.example/?key=${MCP_KEY}" },
        },
        permissions: { deny: ["Bash(echo ${MCP_KEY})", "Edit"], allow: ["Read(${MCP_KEY})"] },
        allowedMarketplaces: [{ source: "git", url: "https://git.example/${MCP_KEY}" }],
      },
      desktop: {
        managedMcpServers: [
          { name: "local", transport: "stdio", command: "npx", args: ["--key", "${MCP_KEY}"] },
          {
            name: "wiki",
            transport: "http",
            url: "https://wiki.example",
            oauth: {
              clientId: "a",
              scope: ["${SCOPE}", "write:all"],
              authorizationServer: ["https://a.example"],
            },
          },
        ],
        disabledBuiltinTools: ["${MCP_KEY}"],
        somethingNew: { deep: [["${MCP_KEY}"]] },
      },
    },
  );

  test.each([[[]], [["eng"]]])(
    "appear nowhere when they came out of a variable, wherever they stand: groups %j",
    (groups) => {
      const { settings, desktop } = explained(fromOutside, { groups });
      const shown = JSON.stringify([settings, desktop]);
      expect(shown).not.toContain("SUPERSECRET");
      // Settings are renamed, and scopes joined, before they are explained.
      expect(shown).not.toContain(env.SCOPE);
      expect(settings.keys).toMatchObject({
        apiKeyHelper: { value: "(16 characters)" },
        managedMcpServers: { value: { wiki: { type: "http", url: "(37 characters)" } } },
        permissions: {
          members: { deny: { entries: [{ value: "(22 characters)" }, { value: "Edit" }] } },
        },
        strictKnownMarketplaces: { value: [{ source: "git", url: "(31 characters)" }] },
      });
      const all = explained(fromOutside, { groups, showValues: true });
      expect(JSON.stringify(all.desktop)).toContain("SUPERSECRET");
    },
  );

  test("are not looked for in other texts when they are short, nor outside of policies", () => {
    const { settings } = explained((c) => {
      c.oidc.client_secret = "${MCP_KEY}";
      withPolicies({
        ...everybody,
        code: { language: "${ON}", model: "monsoon", apiKeyHelper: "echo SUPERSECRET" },
      })(c);
    });
    expect(settings.keys).toMatchObject({
      language: { value: "(2 characters)" },
      model: { value: "monsoon" },
      apiKeyHelper: { value: "echo SUPERSECRET" },
    });
  });

  test("are not the models that somebody may use", () => {
    const { settings, models } = explained(
      withPolicies({ ...everybody, code: { availableModels: ["${MODEL}"] } }),
    );
    expect(settings.keys.availableModels).toMatchObject({ value: ["(15 characters)"] });
    expect(models.listed).toEqual([env.MODEL]);
  });

  test.each([
    ["https://bot:pa@ss@git.example/a.git", "https://(9 characters)@git.example/a.git"],
    ["git clone ssh://git@a.example/x; curl http://u:p@b.example", "git clone ssh://(3 characters)@a.example/x; curl http://(3 characters)@b.example"], // prettier-ignore
    ["https://a.example/x@y?z=u@v#w@x", "https://a.example/x@y?z=u@v#w@x"],
    ["mail ida@corp.example", "mail ida@corp.example"],
  ])("are in URLs what stands before the host: %s", (written, shown) => {
    const { settings } = explained(
      withPolicies({
        ...everybody,
        code: { apiKeyHelper: written, companyAnnouncements: [written] },
      }),
    );
    expect(settings.keys).toMatchObject({
      apiKeyHelper: { value: shown },
      companyAnnouncements: { value: [shown] },
    });
  });

  test("are not what the gateway adds by itself", () => {
    const { settings } = explained((c) => {
      c.telemetry = { forward_to: [{ url: "https://otel.example" }] };
    });
    expect(settings.keys.env).toMatchObject({
      members: { OTEL_METRICS_EXPORTER: { value: "otlp" } },
    });
  });
});

describe("models:", () => {
  test("those of GET /v1/models, and who says so", () => {
    const edit = withPolicies(
      { ...eng, code: { availableModels: ["opus", "haiku"] } },
      { ...everybody, code: { deniedModels: ["haiku"] } },
    );
    const { models } = explained(edit, { groups: ["eng"] });
    expect(models).toMatchObject({ availableModels: ["policy"], deniedModels: ["base"] });
    expect(models.listed).toContain("claude-opus-4-8");
    expect(models.listed.filter((id) => !id.includes("opus"))).toEqual([]);
    expect(models.servable).toBeGreaterThan(models.listed.length);
  });

  test("all of them where no policy says anything", () => {
    const { models } = explained(() => undefined);
    expect(models).toMatchObject({ availableModels: null, deniedModels: null });
    expect(models.listed).toHaveLength(models.servable);
  });

  test("none for people whom no upstream serves", () => {
    const { models } = explained((c) => (c.upstreams[0].groups = ["eng"]));
    expect(models).toMatchObject({ listed: [], servable: 0 });
  });
});

describe("the model that is asked about", () => {
  const modelOf = (edit: Edit, asking: Asking) => explained(edit, asking).model;
  const bedrock = { provider: "bedrock", region: "us-east-1", auth: {} };
  const anthropic = { provider: "anthropic", auth: { api_key: "k" } };
  const haiku = "claude-haiku-4-5";

  test("is left out when there is none", () => {
    expect(explained(() => undefined).model).toBeNull();
  });

  test("is refused by a policy in the words that the client reads, and sent nowhere", () => {
    const edit = withPolicies({ ...everybody, code: { availableModels: ["haiku"] } });
    expect(modelOf(edit, { model: "claude-opus-4-8" })).toEqual({
      id: "claude-opus-4-8",
      allowed: false,
      refusal: "model claude-opus-4-8 is not in your role's availableModels allowlist",
      routes: [],
      unused: [],
    });
  });

  test("is refused where no upstream has it, with the reason of each", () => {
    const edit: Edit = (c) => {
      c.upstreams = [
        { ...bedrock, name: "east", models: ["claude-opus-4-8"] },
        { ...anthropic, models: ["claude-opus-5"] },
      ];
    };
    expect(modelOf(edit, { model: haiku })).toEqual({
      id: haiku,
      allowed: false,
      refusal:
        "model claude-haiku-4-5 is not served by upstream 'east'; model claude-haiku-4-5 is not served by upstream 'anthropic'",
      routes: [],
      unused: [
        {
          upstream: "east",
          provider: "bedrock",
          why: "model claude-haiku-4-5 is not served by upstream 'east'",
        },
        {
          upstream: "anthropic",
          provider: "anthropic",
          why: "model claude-haiku-4-5 is not served by upstream 'anthropic'",
        },
      ],
    });
  });

  test("goes to the upstreams that have it, as they are listed, under the id it has there", () => {
    const edit: Edit = (c) => {
      const closed = { ...anthropic, name: "closed", models: ["claude-opus-4-8"] };
      c.upstreams = [bedrock, closed, anthropic];
    };
    expect(modelOf(edit, { model: haiku })).toMatchObject({
      allowed: true,
      refusal: null,
      routes: [
        {
          place: 1,
          upstream: "bedrock",
          provider: "bedrock",
          upstreamModel: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
          share: 1,
        },
        { place: 2, upstream: "anthropic", upstreamModel: "claude-haiku-4-5-20251001", share: 1 },
      ],
      unused: [{ upstream: "closed" }],
    });
  });

  test("goes by priority where there are any, and is shared by weight within one", () => {
    const edit: Edit = (c) => {
      c.failover = {};
      c.upstreams = [
        { ...anthropic, name: "last", priority: 20 },
        { ...anthropic, name: "three", priority: 10, weight: 3 },
        { ...anthropic, name: "one", priority: 10 },
      ];
    };
    const { routes = [] } = modelOf(edit, { model: haiku }) ?? {};
    expect(routes.map(({ place, upstream, share }) => [place, upstream, share])).toEqual([
      [1, "three", 0.75],
      [1, "one", 0.25],
      [2, "last", 1],
    ]);
  });

  test("passes over upstreams of other groups", () => {
    const edit: Edit = (c) => {
      c.upstreams = [{ ...anthropic, name: "lab", groups: ["research", "ml"] }, anthropic];
    };
    expect(modelOf(edit, { model: haiku, groups: ["eng"] })).toMatchObject({
      routes: [{ upstream: "anthropic" }],
      unused: [{ upstream: "lab", why: "only for people in research, ml" }],
    });
    expect(modelOf(edit, { model: haiku, groups: ["ml"] })?.unused).toEqual([]);
  });

  test("passes over an upstream that needs an address, for somebody without one", () => {
    const role = { role_arn: "arn:aws:iam::111122223333:role/claude", session_name: "email" };
    const edit: Edit = (c) => (c.upstreams = [{ ...bedrock, assume_role: role }]);
    expect(modelOf(edit, { model: haiku })).toMatchObject({
      allowed: true,
      routes: [],
      unused: [{ why: "needs an e-mail address, for assume_role.session_name" }],
    });
    expect(modelOf(edit, { model: haiku, email: "a@corp.example" })?.routes).toHaveLength(1);
  });
});
