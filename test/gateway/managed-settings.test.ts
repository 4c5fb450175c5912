// GET /managed/settings of a running gateway: the wrapper and its checksum, what a poll that knows it gets, whose sessions are
// given which settings, and what the gateway adds to them. What two documents come to is in policy/merge.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { describedVersion } from "../../src/config/claude-code/settings.ts";
import { canonicalJson } from "../support/canonical-json.ts";
import { openScene, type Scene } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";

const desktopAgent = "claude-cli/2.1.330 (external, claude-desktop)";
const cliAgent = "claude-cli/2.1.330 (external, cli)";
const rates = { input: 1, output: 5, cache_read: 0.1, cache_write: 1.25 };

/** Terminals' settings of every kind, what the gateway adds to them, and nobody but members under a policy. */
const opensCli = openScene((config) => {
  config.telemetry = {
    forward_to: [{ url: "http://localhost:1/", logs: true }],
    resource_attributes: { team: "core" },
  };
  config.pricing = { multiplier: 0.5, overrides: [{ upstream: "anthropic", model: "claude-opus-5", ...rates }] };
  const forGroup = (group: string, policy: object) => ({ match: { groups: [group] }, ...policy });
  config.managed = {
    policies: [
      forGroup("eng", { cli: { env: { "10": "a", "9": "b", OTEL_EXPORTER_OTLP_ENDPOINT: "https://own.example", A: "é\u2028" }, permissions: { deny: ["WebFetch", "Bash(rm *)"] }, model: "opus" } }),
      forGroup("own-prices", { cli: { modelPricing: {} } }),
      forGroup("desktop", { cli: { model: "opus" }, serve_to_desktop: true }),
      forGroup("terminal", { settings: { model: "opus" }, serve_to_desktop: false }),
      forGroup("bare", {}),
      forGroup("desktop-only", { desktop: {}, serve_to_desktop: true }),
      forGroup("no-haiku", { cli: { deniedModels: ["claude-opus-5"] } }),
    ],
  };
}); // prettier-ignore
/** Settings that no session may be without, and a catch-all. */
const opensCode = openScene((config) => {
  config.managed = {
    policies: [
      { match: { groups: ["eng"] }, code: { model: "opus" }, serve_to_desktop: false },
      { match: { groups: ["empty"] }, code: {} },
      { match: { groups: ["bare"] } },
      { match: {}, code: { env: { A: "1" } } },
    ],
  };
});
const opensEmptyCode = openScene((config) => {
  config.managed = { policies: [{ code: { env: {} } }] };
});
const opensTelemetryOnly = openScene((config) => {
  config.telemetry = { forward_to: [{ url: "http://localhost:1/" }] };
});
const [cli, code, emptyCode, telemetryOnly, bare] = await Promise.all([
  opensCli,
  opensCode,
  opensEmptyCode,
  opensTelemetryOnly,
  openScene(),
]);
afterAll(() =>
  Promise.all([cli, code, emptyCode, bare, telemetryOnly].map((scene) => scene.stop())),
);

type Answer = { uuid: string; checksum: string; settings: Record<string, unknown> };

/** A poll of Ada's, in these groups. */
async function poll(
  scene: Scene,
  groups: string[],
  headers: Record<string, string> = {},
  path = "/managed/settings",
) {
  const bearer = await scene.bearer({ sub: "ada", email: "ada@example.com", groups });
  return fetch(scene.gateway.url + path, {
    headers: { authorization: `Bearer ${bearer}`, ...headers },
  });
}
/** An answer of `fetch`. */
type Answered = Awaited<ReturnType<typeof poll>>;
const answerOf = async (response: Pick<Answered, "json">) => (await response.json()) as Answer;
const settingsOf = async (scene: Scene, groups: string[]) =>
  (await answerOf(await poll(scene, groups))).settings;
/** Whether there is an audit event about this answer. Events of one answer are written before the next request is read. */
async function isAudited(scene: Scene, response: Response): Promise<boolean> {
  const later = await fetch(`${scene.gateway.url}/v1/models`);
  await scene.gateway.audited("auth.denied", { request_id: later.headers.get("x-request-id") });
  const id = response.headers.get("x-request-id");
  return scene.gateway.audit("managed.serve").some(({ request_id: requestId }) => requestId === id);
}
/** All headers of an answer that are about the settings. */
const told = (response: Response) =>
  Object.fromEntries(
    ["etag", "vary", "cache-control", "pragma", "content-type", "x-cc-gateway-version"].flatMap(
      (name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [[name, value]];
      },
    ),
  );
const always = { vary: "User-Agent", "x-cc-gateway-version": describedVersion };
const notStored = { "cache-control": "no-store", pragma: "no-cache" };

const refusedAs = async (response: Response) => [
  response.status,
  await response.text(),
  told(response),
];
const nothing = (why: string) => [
  404,
  why,
  { ...always, ...notStored, "content-type": "text/plain;charset=utf-8" },
];
const withheld = nothing("not served to Claude Desktop sessions");

describe("settings", () => {
  test("are wrapped with their checksum, which is also their etag", async () => {
    const response = await poll(cli, ["eng"]);
    const { uuid, checksum, settings, ...more } = await answerOf(response);
    const expected = `sha256:${createHash("sha256").update(canonicalJson(settings)).digest("hex")}`;
    expect([response.status, uuid, checksum, more]).toEqual([200, expected, expected, {}]);
    expect(told(response)).toEqual({
      ...always,
      etag: `"${expected}"`,
      "content-type": "application/json;charset=utf-8",
    });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("are the policy's as it is written, with the gateway's variables before its own and prices behind all", async () => {
    const text = await (await poll(cli, ["eng"])).text();
    expect(text.slice(text.indexOf('"settings":'))).toBe(
      `"settings":${JSON.stringify({
        env: {
          "9": "b",
          "10": "a",
          CLAUDE_CODE_ENABLE_TELEMETRY: "1",
          OTEL_METRICS_EXPORTER: "otlp",
          OTEL_LOGS_EXPORTER: "otlp",
          OTEL_TRACES_EXPORTER: "none",
          OTEL_EXPORTER_OTLP_ENDPOINT: "https://own.example",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
          OTEL_RESOURCE_ATTRIBUTES: "team=core",
          A: "é\u2028",
        },
        permissions: { deny: ["WebFetch", "Bash(rm *)"] },
        model: "opus",
        modelPricing: {
          multiplier: 0.5,
          overrides: { "claude-opus-5": { input: 1, output: 5, cacheRead: 0.1, cacheWrite: 1.25 } },
        },
      })}}`,
    );
    expect(await settingsOf(cli, ["bare"])).toMatchObject({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: cli.gateway.url },
    });
  });

  test("hold no prices of the gateway's where the policy has its own, or of models that it denies", async () => {
    expect((await settingsOf(cli, ["own-prices"]))["modelPricing"]).toEqual({});
    expect((await settingsOf(cli, ["no-haiku"]))["modelPricing"]).toEqual({ multiplier: 0.5 });
  });

  test("are the catch-all's and the policy's as one", async () => {
    expect(await settingsOf(code, ["eng"])).toEqual({ env: { A: "1" }, model: "opus" });
    expect(await settingsOf(code, ["none"])).toEqual({ env: { A: "1" } });
  });

  test("may be empty, and are settings then, too", async () => {
    const { checksum, settings } = await answerOf(await poll(emptyCode, []));
    expect([checksum, settings]).toEqual([
      `sha256:${createHash("sha256").update('{"env":{}}').digest("hex")}`,
      { env: {} },
    ]);
  });

  test("are the same for everybody under a policy, and others under another", async () => {
    const checksum = async (groups: string[]) => (await answerOf(await poll(cli, groups))).checksum;
    expect(await checksum(["eng", "x"])).toBe(await checksum(["y", "eng"]));
    expect(await checksum(["desktop"])).not.toBe(await checksum(["eng"]));
  });

  test("that are served are in the audit, with the place of the policy", async () => {
    const bearer = await cli.bearer({ sub: "bob", groups: ["terminal"] });
    const headers = { authorization: `Bearer ${bearer}` };
    const response = await fetch(`${cli.gateway.url}/managed/settings?x=y`, { headers });
    const { checksum } = await answerOf(response);
    const requestId = response.headers.get("x-request-id");
    await cli.gateway.audited("managed.serve", {
      request_id: requestId,
      sub: "bob",
      policy_index: 3,
      checksum,
    });
    await poll(code, ["none"]);
    await code.gateway.audited("managed.serve", {
      sub: "ada",
      email: "ada@example.com",
      policy_index: 3,
    });
  });
});

describe("a poll that names the etag", () => {
  test("is told that nothing has changed, which is not in the audit", async () => {
    const etag = (await poll(cli, ["eng"])).headers.get("etag") ?? "";
    for (const written of [etag, `  ${etag} `]) {
      const response = await poll(cli, ["eng"], { "if-none-match": written });
      expect([response.status, await response.text(), told(response)]).toEqual([304, "", always]);
      expect(await isAudited(cli, response)).toBe(false);
    }
  });

  test.each<[string, (etag: string) => string]>([
    ["as a weak one", (etag) => `W/${etag}`],
    ["among others", (etag) => `${etag}, "x"`],
    ["behind others", (etag) => `"x", ${etag}`],
    ["without quotes", (etag) => etag.replaceAll('"', "")],
    ["in another case", (etag) => etag.toUpperCase()],
    ["of another document", () => `"sha256:${"0".repeat(64)}"`],
    ["as any, in quotes", () => '"*"'],
    ["as any", () => "*"],
    ["not at all", () => ""],
  ])("%s is given the settings again", async (_, written) => {
    const etag = (await poll(cli, ["eng"])).headers.get("etag") ?? "";
    const response = await poll(cli, ["eng"], { "if-none-match": written(etag) });
    expect([response.status, (await answerOf(response)).checksum]).toEqual([
      200,
      etag.replaceAll('"', ""),
    ]);
    expect(await isAudited(cli, response)).toBe(true);
  });

  test("of what another policy's people get is given their own", async () => {
    const etag = (await poll(cli, ["desktop"])).headers.get("etag") ?? "";
    expect((await poll(cli, ["eng"], { "if-none-match": etag })).status).toBe(200);
  });
});

describe("a poll for whether there must be settings (If-None-Match: *)", () => {
  test("is told so where they stand under code, by any client, and that is not to be stored", async () => {
    for (const [groups, agent] of [
      [["eng"], desktopAgent],
      [["eng"], cliAgent],
      [["bare"], cliAgent],
      [["empty"], desktopAgent],
      [[], " * "],
    ] as const) {
      const response = await poll(code, [...groups], {
        "if-none-match": agent === " * " ? agent : "*",
        "user-agent": agent,
      });
      expect([response.status, await response.text(), told(response)]).toEqual([
        304,
        "",
        { ...always, ...notStored },
      ]);
      expect(await isAudited(code, response)).toBe(false);
    }
  });

  test("is given the settings where they do not, or are none", async () => {
    expect((await poll(emptyCode, [], { "if-none-match": "*" })).status).toBe(200);
    expect(
      (await poll(cli, ["desktop"], { "if-none-match": "*", "user-agent": desktopAgent })).status,
    ).toBe(200);
    for (const written of ['"*"', '*, "x"', "W/*", "**"]) {
      expect((await poll(code, [], { "if-none-match": written })).status).toBe(200);
    }
  });

  test("by Claude Desktop is told that there is nothing where they are for terminals", async () => {
    expect(
      await refusedAs(
        await poll(cli, ["eng"], { "if-none-match": "*", "user-agent": desktopAgent }),
      ),
    ).toEqual(withheld);
    expect(
      await refusedAs(
        await poll(emptyCode, [], { "if-none-match": "*", "user-agent": desktopAgent }),
      ),
    ).toEqual(withheld);
  });
});

describe("a session inside Claude Desktop", () => {
  const statusFor = async (agent: string) =>
    (await poll(cli, ["eng"], { "user-agent": agent })).status;

  test.each([
    desktopAgent,
    "claude-cli/2.1 (claude-desktop)",
    "claude-code/2.1.330 (external, claude-desktop-3p)",
    "claude-cli/0 (local-agent, external)",
    "claude-cli/2 (external,claude-desktop,x)",
    "claude-cli/2.1 (external,  claude-desktop  )",
    "claude-cli/2.1 (claude-desktop) (cli)",
    "  claude-cli/2.1 (claude-desktop) ",
  ])("is told by %j", async (agent) => {
    expect(await statusFor(agent)).toBe(404);
  });

  test.each([
    cliAgent,
    "claude-desktop",
    "Claude-Desktop/1.2",
    "claude-desktop/1.2 (claude-desktop)",
    "foo/1 (claude-desktop)",
    "claude-agent-sdk/1 (claude-desktop)",
    "Mozilla/5.0 (claude-desktop)",
    "x claude-cli/2.1 (claude-desktop)",
    "claude-cli (claude-desktop)",
    "claude-cli/2.1  (claude-desktop)",
    "claude-cli/2.1(claude-desktop)",
    "Claude-CLI/2.1 (claude-desktop)",
    "claude-cli/2.1 (Claude-Desktop)",
    "claude-cli/2.1 (external; claude-desktop)",
    "claude-cli/2.1 (claude-desktop-foo)",
    "claude-cli/2.1 (claude-desktop/1.2)",
    "claude-cli/2.1 (client-app/claude-desktop)",
    "claude-cli/2.1 (local-agent-mode)",
    "claude-cli/2.1 (claude-desktop",
    "claude-cli/2.1 (cli) (claude-desktop)",
    "claude-cli/2.1 (external) claude-desktop",
    "",
  ])("is not told by %j", async (agent) => {
    expect(await statusFor(agent)).toBe(200);
  });

  test.each<[string, Scene, string[], boolean]>([
    ["settings for terminals", cli, ["eng"], false],
    ["settings that are to be served to it", cli, ["desktop"], true],
    ["settings that are not", cli, ["terminal"], false],
    ["what the gateway adds to none", cli, ["bare"], false],
    ["what the gateway adds to none, when it may be served", cli, ["desktop-only"], true],
    ["settings under code", code, ["eng"], true],
    ["the catch-all's under code", code, ["bare"], true],
    ["the catch-all's over an empty code", code, ["empty"], true],
    ["a code block that says nothing", emptyCode, [], false],
    ["telemetry without policies", telemetryOnly, [], false],
  ])("is given %s: %#", async (_, scene, groups, isGiven) => {
    const response = await poll(scene, groups, { "user-agent": desktopAgent });
    if (isGiven)
      expect([response.status, (await answerOf(response)).settings]).toEqual([
        200,
        await settingsOf(scene, groups),
      ]);
    else expect(await refusedAs(response)).toEqual(withheld);
    expect(await isAudited(scene, response)).toBe(isGiven);
    expect((await poll(scene, groups, { "user-agent": cliAgent })).status).toBe(200);
  });

  test("is told nothing by knowing the etag", async () => {
    const etag = (await poll(cli, ["eng"])).headers.get("etag") ?? "";
    expect(
      await refusedAs(
        await poll(cli, ["eng"], { "if-none-match": etag, "user-agent": desktopAgent }),
      ),
    ).toEqual(withheld);
  });
});

describe("nothing", () => {
  test("is for people whom no policy matches, whatever the gateway would add, and the log says who they are", async () => {
    const response = await poll(cli, ["staff", "Eng"]);
    const requestId = response.headers.get("x-request-id") ?? "";
    expect(await isAudited(cli, response)).toBe(false);
    expect(await refusedAs(response)).toEqual(nothing("no policy matched"));
    await cli.gateway.waitForLog(
      new RegExp(
        `warn no managed policy matched for sub=ada \\(groups: staff,Eng\\) request_id=${requestId}\n`,
      ),
    );
    const lone = await poll(cli, []);
    expect(lone.status).toBe(404);
    await cli.gateway.waitForLog(
      new RegExp(`\\(groups: none\\) request_id=${lone.headers.get("x-request-id")}\n`),
    );
  });

  test("is logged with many groups named in part", async () => {
    await poll(
      cli,
      Array.from({ length: 30 }, (_, index) => `g${index}`),
    );
    await cli.gateway.waitForLog(/\(groups: g0,g1,[g0-9,]+,g19,… 30 in all\)/);
    expect(cli.gateway.stderr()).not.toContain("g20");
  });

  test("a name of a group makes no line of its own in the log", async () => {
    await poll(cli, ["a\n[gateway] forged"]);
    await cli.gateway.waitForLog(
      / warn no managed policy matched for sub=ada \(groups: a \[gateway\] forged\)/,
    );
  });

  test("is what a gateway without policies and telemetry has, to any client and any etag", async () => {
    for (const headers of [{}, { "user-agent": desktopAgent }, { "if-none-match": "*" }] as Record<
      string,
      string
    >[]) {
      const response = await poll(bare, ["eng"], headers);
      expect(await isAudited(bare, response)).toBe(false);
      expect(await refusedAs(response)).toEqual(nothing("not configured"));
    }
    expect(bare.gateway.stderr()).not.toContain("no managed policy matched");
  });
});

test("without policies telemetry alone is served, to terminals", async () => {
  const response = await poll(telemetryOnly, []);
  const { settings } = await answerOf(response);
  expect([response.status, Object.keys(settings), settings["env"] as object]).toEqual([
    200,
    ["env"],
    expect.objectContaining({
      CLAUDE_CODE_ENABLE_TELEMETRY: "1",
      OTEL_TRACES_EXPORTER: "none",
      OTEL_EXPORTER_OTLP_ENDPOINT: telemetryOnly.gateway.url,
    }),
  ]);
  await telemetryOnly.gateway.audited("managed.serve", {
    request_id: response.headers.get("x-request-id"),
    policy_index: null,
  });
});

test("a change of groups takes effect with the refresh, and not before", async () => {
  const claimed = (groups: string[]) =>
    (code.idp.bend.claims = (claims) => ({ ...claims, groups }));
  const flow = deviceFlow(code);
  const modelFor = async (bearer: string) => {
    const headers = { authorization: `Bearer ${bearer}` };
    return (await answerOf(await fetch(`${code.gateway.url}/managed/settings`, { headers })))
      .settings["model"];
  };
  claimed(["eng"]);
  const first = await flow.signIn();
  claimed([]);
  expect(await modelFor(first.access_token)).toBe("opus");
  const renewed = (await (await flow.refresh(first.refresh_token ?? "")).json()) as typeof first;
  expect(await modelFor(renewed.access_token)).toBe(undefined);
  expect(await modelFor(first.access_token)).toBe("opus");
});

describe("is not answered", () => {
  test.each([undefined, "Bearer x", "Basic x"])(
    "without a bearer of ours: %p",
    async (authorization) => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const response = await fetch(`${cli.gateway.url}/managed/settings`, { headers });
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
      expect(await response.text()).not.toContain("settings");
    },
  );

  test.each(["POST", "PUT", "DELETE", "PATCH"])("to %s", async (method) => {
    const headers = {
      authorization: `Bearer ${await cli.bearer({ sub: "ada", groups: ["eng"] })}`,
    };
    const response = await fetch(`${cli.gateway.url}/managed/settings`, { method, headers });
    expect([
      response.status,
      ((await response.json()) as { error: { type: string } }).error.type,
    ]).toEqual([404, "not_found_error"]);
  });

  test.each(["/managed/settings/", "/managed/Settings", "/managed//settings", "/managed"])(
    "at %s",
    async (path) => {
      expect((await poll(cli, ["eng"], {}, path)).status).toBe(404);
    },
  );
});
