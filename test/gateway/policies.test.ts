// Policies in a running gateway: which models people may ask for and see, when a change of their groups takes effect, and what
// the boot log says. What entries mean is in policy/model-access.test.ts, who is under which policy in policy/policy.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { catalog } from "../../src/models/catalog.ts";
import { ask, refusalIn } from "../support/calls.ts";
import { runCommand } from "../support/gateway.ts";
import { openScene, startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";

const opsOnly = startUpstream();
const scene = await openScene((config) => {
  const entry = (name: string, url: string, more: object) => ({
    provider: "anthropic",
    name,
    base_url: url,
    auth: { api_key: "k" },
    ...more,
  });
  config.upstreams = [
    entry("open", config.upstreams[0].base_url, { models: ["claude-*", "house"] }),
    entry("ops", opsOnly.url, { groups: ["ops"] }),
  ];
  config.models = [
    { id: "house", upstream_model: { open: "claude-opus-4-8" } },
    { id: "theirs", upstream_model: { ops: "x" } },
  ];
  config.managed = {
    policies: [
      {
        match: { groups: ["interns"] },
        cli: { availableModels: ["haiku", "claude-sonnet-4-5", "gpt-4", "theirs"] },
      },
      { match: { groups: ["nobody"] }, cli: { availableModels: [] } },
      { match: { groups: ["careful"] }, cli: { deniedModels: ["haiku"], env: { A: "1" } } },
      {
        match: { groups: ["all"], email_domain: "example.com" },
        cli: { availableModels: ["claude", "house"] },
      },
      {
        match: {},
        cli: { availableModels: ["opus", "haiku", "house"], deniedModels: ["claude-opus-4-8"] },
      },
    ],
  };
});
afterAll(() => Promise.all([scene.stop(), opsOnly.stop()]));
beforeEach(() => {
  scene.upstream.seen.length = 0;
  opsOnly.seen.length = 0;
  scene.idp.straighten();
});

const bearerOf = (groups: string[], email = "ada@example.com") =>
  scene.bearer({ sub: "ada", email, groups });
const people = {
  intern: await bearerOf(["staff", "interns"]),
  nobody: await bearerOf(["nobody"]),
  careful: await bearerOf(["careful"]),
  everyone: await bearerOf(["all"]),
  unmatched: await bearerOf([]),
};
const paths = ["/v1/messages", "/v1/messages/count_tokens"] as const;
const notAvailable = (model: string) => ({
  status: 400,
  type: "invalid_request_error",
  message: `model ${model} is not in your role's availableModels allowlist`,
});
const denied = (model: string) => ({
  status: 400,
  type: "invalid_request_error",
  message: `model ${model} is blocked by your role's deniedModels denylist`,
});
const reached = () => scene.upstream.seen.length + opsOnly.seen.length;
async function listed(bearer: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${bearer}` };
  const response = await fetch(`${scene.gateway.url}/v1/models`, { headers });
  return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

describe.each(paths)("%s", (path) => {
  test.each([true, false])(
    "refuses a model that the policy leaves out, and asks no upstream (stream: %p)",
    async (stream) => {
      const response = await ask(scene, "Claude-Opus-5", {
        path,
        bearer: people.intern,
        fields: { stream },
      });
      expect(response.headers.get("content-type")).toStartWith("application/json");
      await scene.gateway.audited("inference", {
        request_id: response.headers.get("x-request-id"),
        path,
        sub: "ada",
        upstream: null,
        status: 400,
      });
      expect(await refusalIn(response)).toEqual(notAvailable("Claude-Opus-5"));
      expect(reached()).toBe(0);
    },
  );

  test("sends a model on that the policy lists, in any case and with its date", async () => {
    for (const model of [
      "claude-haiku-4-5-20251001",
      "CLAUDE-SONNET-4-5",
      "claude-sonnet-4-5-20250929",
    ]) {
      expect([model, (await ask(scene, model, { path, bearer: people.intern })).status]).toEqual([
        model,
        200,
      ]);
    }
    expect(reached()).toBe(3);
  });

  test("refuses a denied model under each of its names and as the operator's own, whatever else is listed", async () => {
    for (const model of ["claude-opus-4-8", "us.anthropic.claude-opus-4-8", "house"]) {
      expect(await refusalIn(await ask(scene, model, { path, bearer: people.unmatched }))).toEqual(
        denied(model),
      );
    }
    expect((await ask(scene, "claude-opus-4-7", { path, bearer: people.unmatched })).status).toBe(
      200,
    );
    expect(reached()).toBe(1);
  });

  test("refuses everything to people whose list is empty", async () => {
    for (const model of ["claude-haiku-4-5", "house", "default"]) {
      expect(await refusalIn(await ask(scene, model, { path, bearer: people.nobody }))).toEqual(
        model === "house" ? denied(model) : notAvailable(model),
      );
    }
    expect(reached()).toBe(0);
  });

  test("binds by the catch-all's lists who has none of their own", async () => {
    expect(
      await refusalIn(await ask(scene, "claude-sonnet-5", { path, bearer: people.careful })),
    ).toEqual(notAvailable("claude-sonnet-5"));
    expect(
      await refusalIn(await ask(scene, "claude-haiku-5-5", { path, bearer: people.careful })),
    ).toEqual(denied("claude-haiku-5-5"));
    expect((await ask(scene, "claude-opus-5", { path, bearer: people.careful })).status).toBe(200);
  });

  test("is decided by the address, too", async () => {
    const elsewhere = await bearerOf(["all"], "ada@elsewhere.example");
    expect((await ask(scene, "claude-sonnet-5", { path, bearer: people.everyone })).status).toBe(
      200,
    );
    expect(
      await refusalIn(await ask(scene, "claude-sonnet-5", { path, bearer: elsewhere })),
    ).toEqual(notAvailable("claude-sonnet-5"));
  });

  test("says first what is wrong with the call itself", async () => {
    const send = async (body: string) => {
      const headers = { authorization: `Bearer ${people.nobody}` };
      return (
        await refusalIn(await fetch(scene.gateway.url + path, { method: "POST", headers, body }))
      ).message;
    };
    expect(await send("{")).not.toContain("role");
    expect(await send("{}")).toBe("model is required");
    expect(await send('{"model":5}')).not.toContain("role");
  });

  test("says what the role may not have before what nobody has, and before which groups an upstream is for", async () => {
    const message = async (model: string, bearer: string) =>
      (await refusalIn(await ask(scene, model, { path, bearer }))).message;
    for (const model of ["gpt-5", "theirs"]) {
      expect(await message(model, people.everyone)).toBe(notAvailable(model).message);
    }
    expect(await message("gpt-4", people.intern)).toBe(
      "model gpt-4 is not served by upstream 'open'",
    );
    expect(await message("theirs", people.intern)).toBe(
      "model theirs is not in the operator's model allowlist",
    );
    expect(reached()).toBe(0);
  });

  test("repeats an id without what a terminal would obey, and cut", async () => {
    const id = `x\u001b[31m\né${"y".repeat(200)}`;
    const { message } = await refusalIn(await ask(scene, id, { path, bearer: people.nobody }));
    expect(message).toBe(
      `model ${`x[31m${"y".repeat(200)}`.slice(0, 128)}... is not in your role's availableModels allowlist`,
    );
  });
});

test("a refused model is in the audit, and is no failure of an upstream in the log", async () => {
  const response = await ask(scene, "claude-fable-5", { bearer: people.intern });
  const requestId = response.headers.get("x-request-id") ?? "";
  await scene.gateway.audited("inference", {
    request_id: requestId,
    model: "claude-fable-5",
    status: 400,
  });
  expect(scene.gateway.stderr()).not.toContain(`model resolution failed request_id=${requestId}`);
});

describe("GET /v1/models", () => {
  test("lists what the policy leaves", async () => {
    const interns = (await listed(people.intern)).filter((id) => id !== "theirs");
    expect(interns).toEqual([
      "claude-sonnet-4-5-20250929",
      "claude-haiku-4-5-20251001",
      "claude-haiku-5-5",
    ]);
    expect(await listed(people.unmatched)).toEqual([
      "claude-opus-4-6", "claude-haiku-4-5-20251001", "claude-opus-5-5", "claude-opus-5", "claude-opus-4-7", "claude-opus-4-1-20250805", "claude-haiku-5-5",
    ]); // prettier-ignore
    expect(await listed(people.careful)).toEqual(
      (await listed(people.unmatched)).filter((id) => !id.includes("haiku")),
    );
    expect(await listed(people.nobody)).toEqual([]);
  });

  test("lists what is then accepted, and leaves out what is then refused", async () => {
    for (const who of ["intern", "unmatched", "careful", "everyone"] as const) {
      const bearer = people[who];
      const shown = (await listed(bearer)).filter((id) => id !== "theirs");
      const others = catalog.filter(({ id, retired }) => retired !== true && !shown.includes(id));
      const statuses = async (ids: string[]) =>
        Promise.all(
          ids.map(async (id) => [id, (await ask(scene, id, { bearer })).status] as const),
        );
      expect((await statuses(shown)).filter(([, status]) => status !== 200)).toEqual([]);
      expect(
        (await statuses(others.map(({ id }) => id))).filter(([, status]) => status !== 400),
      ).toEqual([]);
    }
  });
});

test("a change of groups takes effect with the refresh, and not before", async () => {
  const claimed = (groups: string[] | undefined) =>
    (scene.idp.bend.claims = (claims) => ({ ...claims, groups }));
  const flow = deviceFlow(scene);
  claimed(["interns"]);
  const first = await flow.signIn();
  expect(await listed(first.access_token)).toContain("claude-sonnet-4-5-20250929");

  claimed(["all"]);
  expect((await ask(scene, "claude-sonnet-5", { bearer: first.access_token })).status).toBe(400);
  const renewed = (await (await flow.refresh(first.refresh_token ?? "")).json()) as typeof first;
  expect((await ask(scene, "claude-sonnet-5", { bearer: renewed.access_token })).status).toBe(200);
  expect((await ask(scene, "claude-sonnet-5", { bearer: first.access_token })).status).toBe(400);

  // Whoever is in no group any more is under the policy for everybody.
  claimed([]);
  const last = (await (await flow.refresh(renewed.refresh_token ?? "")).json()) as typeof first;
  expect(
    await refusalIn(await ask(scene, "claude-sonnet-5", { bearer: last.access_token })),
  ).toEqual(notAvailable("claude-sonnet-5"));
});

describe("at boot", () => {
  test("the log says what the catch-all changed in each policy, and how many there are", async () => {
    for (const line of [
      "info managed.policies[0] after merge with catch-all base — changed keys: deniedModels\n",
      "info managed.policies[2] after merge with catch-all base — changed keys: availableModels, deniedModels\n",
      "info managed settings: configured (5 policies, 0 with Claude Desktop)\n",
      "warn managed policy 1: availableModels is an empty list, so every inference request for this role will be rejected.",
      "warn managed policy 0: availableModels leaves out claude-opus-4-7, the model Claude Code (as of this release) starts on",
    ]) {
      expect(scene.gateway.stderr()).toContain(line);
    }
  });

  test("check says the same warnings, and names everything that is wrong", async () => {
    const directory = mkdtempSync(join(tmpdir(), "policies-"));
    const path = join(directory, "gateway.yaml");
    const checked = async (policies: object[]) => {
      writeFileSync(path, JSON.stringify({ ...scene.config, managed: { policies } }));
      return runCommand(["check", "--config", path]);
    };
    const eng = { match: { groups: ["eng"] } };
    const odd = await checked([
      { cli: { availableModels: ["best"] } },
      { ...eng, cli: {}, settings: {}, desktop: { zzz: 1 } },
    ]);
    const said = odd.stdout + odd.stderr;
    expect([odd.exitCode, said]).toEqual([
      0,
      expect.stringContaining(
        "managed.policies[0] is a catch-all (match: {}) but is not the last entry",
      ),
    ]);
    expect(said).toContain("managed policy 0: availableModels contains 'best'");
    expect(said).toContain("managed.policies[1] has a cli block and a settings block");
    expect(said).toContain("managed.policies[1].desktop: ");

    const broken = await checked([
      { match: { groups: [] }, cli: { modle: 1 } },
      { match: { email_domain: "" } },
    ]);
    rmSync(directory, { recursive: true });
    expect(broken.exitCode).not.toBe(0);
    expect(broken.stderr).toContain("match.groups is empty — the policy would match no one");
    expect(broken.stderr).toContain(
      'managed.policies[0].cli.modle: unknown key; did you mean "model"?',
    );
    expect(broken.stderr).toContain(
      "match.email_domain is empty — an empty domain disables the match",
    );
  });
});
