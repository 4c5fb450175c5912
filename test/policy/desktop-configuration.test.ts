// What Claude Desktop is told for one person: what the gateway knows, what follows from the settings for Claude Code, and the
// policy's own words over it. Who is given any of it, and how it is sent, is in gateway/bootstrap.test.ts.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createModelDirectory } from "../../src/models/resolve.ts";
import {
  desktopConfiguration,
  type DesktopSession,
} from "../../src/policy/desktop-configuration.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { edited, load } from "../config/samples.ts";
import { desktopDocument, listAt, settingsDocument } from "./documents.ts";

type Change = { session?: Partial<DesktopSession>; config?: object; groups?: string[] };

/** What somebody is told under the first of these policies. */
function told(policies: object[], { session = {}, config: more = {}, groups = [] }: Change = {}) {
  const { config } = load(edited((c) => Object.assign(c, { managed: { policies }, ...more })));
  const [policy] = createPolicies(config).all;
  if (policy?.desktop === undefined) throw new Error("no desktop block");
  return desktopConfiguration(policy, policy.desktop, {
    principal: { sub: "ada", email: "ada@example.com", name: "Ada", groups },
    base: "https://gateway.example",
    models: createModelDirectory(config, config.upstreams),
    telemetryLabels: undefined,
    expiresAt: 1000,
    ...session,
  });
}
/** With these settings and this `desktop` block. */
const toldOf = (cli: object, desktop: object = {}, change: Change = {}) =>
  told([{ cli, desktop }], change);
/** Without any model: what else there is. */
const noModels = { auto_include_builtin_models: false };

test("a gateway that has nothing to add tells where it is, how to sign in and until when that holds", () => {
  expect(told([{ desktop: {} }], { config: noModels })).toEqual({
    inferenceProvider: "gateway",
    inferenceGatewayBaseUrl: "https://gateway.example",
    inferenceCredentialKind: "interactive",
    expiresAt: 1000,
  });
});

describe("the policy's own block", () => {
  test("is passed on as it is written, also what nobody knows yet", () => {
    const desktop = {
      zzz: { b: 1, a: [null] },
      disableAutoUpdates: true,
      modelPrefer1mContext: true,
    };
    expect(told([{ desktop }], { config: noModels })).toMatchObject(desktop);
  });

  test("does not move the end of what is told", () => {
    expect(Object.keys(told([{ desktop: { zzz: 1 } }])).at(-1)).toBe("expiresAt");
  });
});

describe("tools", () => {
  const tools = (deny: string[], desktop: object = {}) =>
    toldOf({ permissions: { deny } }, desktop)["disabledBuiltinTools"];

  test("that are denied as a whole are switched off, then those that the policy names, each once", () => {
    expect(
      tools([
        "WebFetch",
        "Bash(rm *)",
        "mcp__x__y",
        "mcp__x",
        "Edit",
        "WebFetch(domain:a.example)",
        "WebFetch",
      ]),
    ).toEqual(["WebFetch", "Edit"]);
    expect(tools(["WebFetch", "Edit"], { disabledBuiltinTools: ["Bash", "Edit"] })).toEqual([
      "WebFetch",
      "Edit",
      "Bash",
    ]);
  });

  test("that are denied in part stay on", () => {
    const some = ["Bash(*.sh)", "Bash(rm *)", "Agent(Explore)", "Bash(domain:*)", "Read(**)"];
    expect(tools([...some, "WebFetch(domain:*.example)"])).toBe(undefined);
  });

  // The reference leaves them on.
  test("whose every use is denied are denied as a whole", () => {
    expect(tools(["Bash(*)", "Edit( * )", "Bash", "WebFetch(domain:*)", "WebSearch(*)"])).toEqual([
      "Bash",
      "Edit",
      "WebFetch",
      "WebSearch",
    ]);
    expect(tools(["WebFetch(*)"])).toEqual(["WebFetch"]);
  });

  test("are not spoken of where none is denied, and an empty list of the policy's is told", () => {
    expect(tools([])).toBe(undefined);
    expect(tools([], { disabledBuiltinTools: [] })).toEqual([]);
    expect(tools([], { disabledBuiltinTools: ["Bash", "Edit", "Bash"] })).toEqual(["Bash", "Edit"]);
    expect(
      toldOf({ permissions: { ask: ["Bash"], allow: ["Edit"], defaultMode: "plan" } }),
    ).not.toHaveProperty("disabledBuiltinTools");
  });

  test("that the catch-all denies come first", () => {
    expect(
      told([
        {
          match: { groups: ["eng"] },
          cli: { permissions: { deny: ["Edit"] } },
          desktop: { disabledBuiltinTools: ["Read"] },
        },
        {
          cli: { permissions: { deny: ["WebFetch"] } },
          desktop: { disabledBuiltinTools: ["Bash"] },
        },
      ])["disabledBuiltinTools"],
    ).toEqual(["WebFetch", "Edit", "Bash", "Read"]);
  });

  test("switched off by the policy or denied are never left on", () => {
    fc.assert(
      fc.property(settingsDocument, desktopDocument, (settings, desktop) => {
        const disabled = listAt(toldOf(settings, desktop), "disabledBuiltinTools");
        const denied = listAt(settings, "permissions", "deny").filter((rule) =>
          /^(?!mcp__)[^(]*$/.test(String(rule)),
        );
        const own = listAt(desktop, "disabledBuiltinTools");
        expect([...denied, ...own].filter((tool) => !disabled.includes(tool))).toEqual([]);
        expect(disabled.filter((tool) => ![...denied, ...own].includes(tool))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe("hosts", () => {
  const hosts = (allowedDomains: string[], desktop: object = {}) =>
    toldOf({ sandbox: { network: { allowedDomains } } }, desktop)["coworkEgressAllowedHosts"];

  test("that the sandbox allows are allowed, as they are written", () => {
    expect(hosts(["b.example", "*.a.example", "b.example"])).toEqual([
      "b.example",
      "*.a.example",
      "b.example",
    ]);
  });

  test("are not spoken of where none is", () => {
    expect(hosts([])).toBe(undefined);
    expect(toldOf({ sandbox: { network: { deniedDomains: ["a.example"] } } })).not.toHaveProperty(
      "coworkEgressAllowedHosts",
    );
  });

  test("are the policy's where it names them, also none", () => {
    expect(hosts(["a.example"], { coworkEgressAllowedHosts: ["b.example"] })).toEqual([
      "b.example",
    ]);
    expect(hosts(["a.example"], { coworkEgressAllowedHosts: [] })).toEqual([]);
  });
});

describe("models", () => {
  const anthropic = (name: string, more: object = {}) => ({
    provider: "anthropic",
    name,
    auth: { api_key: "k" },
    ...more,
  });
  const own = (id: string, upstreamModel: string | object, more: object = {}) => ({
    id,
    upstream_model:
      typeof upstreamModel === "string" ? { anthropic: upstreamModel } : upstreamModel,
    ...more,
  });
  type Listed = { name: string; supports1m?: boolean; labelOverride?: string };
  const models = (cli: object, config: object = {}, groups: string[] = []) =>
    toldOf(cli, {}, { config, groups })["inferenceModels"] as Listed[] | undefined;
  const only = (...entries: object[]) => ({ models: entries, ...noModels });

  test("are those that the policy leaves, as GET /v1/models lists them", () => {
    expect(models({ availableModels: ["haiku", "claude-opus-4-8"] })).toEqual([
      { name: "claude-haiku-4-5-20251001" },
      { name: "claude-opus-4-8", supports1m: true },
      { name: "claude-haiku-5-5", supports1m: true },
    ]);
    expect(
      models({ deniedModels: ["opus", "fable", "claude-sonnet-5"] })?.map(({ name }) => name),
    ).toEqual([
      "claude-sonnet-4-5-20250929",
      "claude-haiku-4-5-20251001",
      "claude-sonnet-4-6",
      "claude-haiku-5-5",
    ]);
  });

  test("are not spoken of where there is none", () => {
    expect(models({ availableModels: [] })).toBe(undefined);
    expect(models({}, noModels)).toBe(undefined);
  });

  test("of the operator's carry their label where it is another than the id", () => {
    expect(
      models(
        {},
        only(
          own("house", "x", { label: "House", description: "d" }),
          own("plain", "x"),
          own("same", "x", { label: "same" }),
        ),
      ),
    ).toEqual([{ name: "house", labelOverride: "House" }, { name: "plain" }, { name: "same" }]);
  });

  test("are marked by what each upstream that serves them has", () => {
    const config = {
      upstreams: [anthropic("a"), anthropic("b")],
      ...only(
        own("both", { a: "claude-opus-4-8", b: "claude-sonnet-5" }),
        own("one", { a: "claude-opus-4-8", b: "claude-haiku-4-5" }),
        own("unknown", { a: "weird" }),
        own("mine[1m]", { a: "claude-opus-4-8" }),
      ),
    };
    expect(models({}, config)).toEqual([
      { name: "both", supports1m: true },
      { name: "one" },
      { name: "unknown" },
      { name: "mine[1m]" },
    ]);
  });

  test("are those of the upstreams that are open to the person, and marked by those only", () => {
    const config = {
      upstreams: [anthropic("a", { groups: ["eng"] }), anthropic("b", { groups: ["ops"] })],
      ...only(own("both", { a: "claude-opus-4-8", b: "claude-haiku-4-5" })),
    };
    expect(models({}, config, ["eng"])).toEqual([{ name: "both", supports1m: true }]);
    expect(models({}, config, ["ops"])).toEqual([{ name: "both" }]);
    expect(models({}, config, [])).toBe(undefined);
  });

  // As GET /v1/models lists it now, and inference refuses it.
  test("are none that only other people's upstreams serve", () => {
    const config = {
      upstreams: [anthropic("a", { groups: ["eng"] }), anthropic("b", { groups: ["ops"] })],
      ...only(own("both", { a: "x", b: "x" }), own("ops", { b: "x" })),
    };
    expect(models({}, config, ["eng"])).toEqual([{ name: "both" }]);
  });

  const marked = (value: unknown) =>
    models({
      availableModels: ["claude-opus-4-8"],
      env: { CLAUDE_CODE_DISABLE_1M_CONTEXT: value },
    })?.[0]?.supports1m ?? false;
  test.each(["1", "true", "TRUE", "yes", "on", " 1 "])(
    "are not marked where %j switches the long context off",
    (value) => {
      expect(marked(value)).toBe(false);
    },
  );
  test.each(["0", "false", "2", "", "no", "off", "11"])("are where %j does not", (value) => {
    expect(marked(value)).toBe(true);
  });
});

describe("settings that stand under code", () => {
  const managed = (...policies: object[]) => told(policies)["inferenceGatewayManagedClaudeCode"];

  test("are announced, also the catch-all's", () => {
    expect(managed({ code: { model: "a" }, desktop: {} })).toBe(true);
    expect(managed({ match: { groups: ["a"] }, desktop: {} }, { code: { model: "a" } })).toBe(true);
  });

  test("are not where there are none, or none that say anything", () => {
    expect(managed({ cli: { model: "a" }, desktop: {}, serve_to_desktop: true })).toBe(undefined);
    expect(managed({ code: { env: {} }, desktop: {} })).toBe(undefined);
  });
});

describe("telemetry", () => {
  const telemetryLabels = { team: "core" };
  const toldWith = (env: object) =>
    toldOf({ env }, {}, { session: { telemetryLabels }, groups: ["eng", "ops"] });

  test("is not spoken of where none is relayed", () => {
    const { otlpEndpoint, otlpProtocol, otlpResourceAttributes } = toldOf({
      env: { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" },
    });
    expect([otlpEndpoint, otlpProtocol, otlpResourceAttributes]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("goes to the gateway, with the operator's labels and who the person is", () => {
    expect(toldWith({})).toMatchObject({
      otlpEndpoint: "https://gateway.example",
      otlpProtocol: "http/protobuf",
      otlpResourceAttributes: {
        team: "core",
        "enduser.id": "ada@example.com",
        "user.email": "ada@example.com",
        "user.groups": "eng,ops",
        "enduser.sub": "ada",
      },
    });
    expect(toldOf({}, {}, { session: { telemetryLabels: {} } })).toHaveProperty("otlpEndpoint");
  });

  test.each(["", "METRICS_", "LOGS_", "TRACES_"])(
    "is JSON where the policy's OTEL_EXPORTER_OTLP_%sPROTOCOL says so",
    (signal) => {
      expect(
        toldWith({ [`OTEL_EXPORTER_OTLP_${signal}PROTOCOL`]: "http/json" })["otlpProtocol"],
      ).toBe("http/json");
    },
  );

  test.each([" http/json ", "HTTP/JSON", "grpc", ""])("is not JSON where it says %j", (value) => {
    expect(toldWith({ OTEL_EXPORTER_OTLP_PROTOCOL: value })["otlpProtocol"]).toBe("http/protobuf");
  });

  test("takes nothing else from the policy's variables", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://other.example",
      OTEL_RESOURCE_ATTRIBUTES: "a=b",
    };
    expect(toldWith(env)).toEqual(toldWith({}));
  });
});

test("no other setting for Claude Code changes what Claude Desktop is told", () => {
  const cli = {
    model: "opus",
    modelOverrides: { a: "b" },
    enforceAvailableModels: true,
    modelPicker: { options: [] },
    permissions: { ask: ["Bash"], allow: ["Edit"] },
    env: { HTTPS_PROXY: "http://p.example" },
    companyAnnouncements: ["x"],
    enabledPlugins: {},
  };
  expect(toldOf(cli)).toEqual(toldOf({}));
});
