// `claude-gateway explain` as a platform engineer runs it, and that it says what a running gateway does.
import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minimal } from "../config/samples.ts";
import { untraced } from "../policy/untraced.ts";
import { runCommand } from "../support/gateway.ts";
import { helloCall, openScene } from "../support/scene.ts";

const directory = await mkdtemp(join(tmpdir(), "gateway-explain-"));
const policies = [
  {
    match: { email_domain: "example.com" },
    code: {
      availableModels: ["haiku"],
      permissions: { deny: ["WebSearch"], defaultMode: "plan" },
      env: { A: "1" },
    },
  },
  { code: { availableModels: ["opus"], permissions: { deny: ["WebFetch"] }, env: { B: "2" } } },
];
const scene = await openScene((config) => {
  config.managed = { policies };
  config.telemetry = { forward_to: [{ url: "https://otel.example" }] };
});
afterAll(async () => {
  await scene.stop();
  await rm(directory, { recursive: true, force: true });
});

async function explain(config: object, ...args: string[]) {
  const path = join(directory, `${crypto.randomUUID()}.yaml`);
  await writeFile(path, JSON.stringify(config));
  const env = { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1", MCP_KEY: "SUPERSECRET" };
  return { path, ...(await runCommand(["explain", "--config", path, ...args], env)) };
}

test("explains in text, exits 0 also when the model is refused, and contacts nothing", async () => {
  const config = {
    ...minimal(),
    oidc: { issuer: "http://localhost:1", client_id: "a", client_secret: "b" },
    store: { postgres_url: "postgres://nobody@127.0.0.1:1/x" },
    managed: { policies },
  };
  const person = ["--email", "ada@example.com", "--groups", "eng,ops"];
  const { stdout, stderr, exitCode } = await explain(
    config,
    ...person,
    "--model",
    "claude-opus-4-8",
  );
  expect(stdout).toStartWith("ada@example.com, in eng, ops\n");
  expect(stdout).toContain("Policies: policy 0 applies, over policy 1\n");
  expect(stdout).toContain("Model claude-opus-4-8: refused; the client reads\n");
  expect(stdout).not.toContain("\u001b");
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
});

test("explains in JSON, with values when they are asked for", async () => {
  const config = { ...minimal(), managed: { policies } };
  const person = ["--email", "ada@example.com", "--json"];
  const plain = JSON.parse((await explain(config, ...person)).stdout);
  expect(plain).toMatchObject({ policy: 0, base: 1, model: null });
  expect(plain.settings.keys.env.members.A.value).toBe("(1 character)");
  const shown = JSON.parse((await explain(config, ...person, "--show-values")).stdout);
  expect(shown.settings.keys.env.members.A.value).toBe("1");
});

test("prints no value of a variable unless it is asked for", async () => {
  const apiKeyHelper = "echo ${MCP_KEY}";
  const config = { ...minimal(), managed: { policies: [{ code: { apiKeyHelper } }] } };
  for (const format of [[], ["--json"]]) {
    expect((await explain(config, ...format)).stdout).toContain("(16 characters)");
    expect((await explain(config, ...format)).stdout).not.toContain("SUPERSECRET");
    expect((await explain(config, ...format, "--show-values")).stdout).toContain("SUPERSECRET");
  }
});

test("prints all of a long explanation, to however slow a reader", async () => {
  const deny = Array.from({ length: 5000 }, (_, index) => `Bash(command-${index} *)`);
  const config = { ...minimal(), managed: { policies: [{ code: { permissions: { deny } } }] } };
  const { stdout } = await explain(config, "--json");
  expect(stdout.length).toBeGreaterThan(300_000);
  expect(JSON.parse(stdout).settings.keys.permissions.members.deny.entries).toHaveLength(5000);
});

test("a configuration that is not valid is refused as check refuses it", async () => {
  const { path, ...explained } = await explain({ ...minimal(), nope: 1 });
  const checked = await runCommand(["check", "--config", path]);
  expect(explained).toEqual({ ...checked, stdout: "" });
  expect(explained.exitCode).toBe(1);
  expect(explained.stderr).toContain("nope: unknown key");
});

test("a command line that makes no sense exits 2", async () => {
  const { exitCode, stderr } = await explain(minimal(), "--model", "");
  expect([exitCode, stderr]).toEqual([2, "claude gateway: --model is empty\n"]);
});

test("says the settings, the models and the refusals that the gateway then gives", async () => {
  const headers = { authorization: `Bearer ${await scene.bearer()}` };
  const model = "claude-opus-4-8";
  const args = ["--email", "ada@example.com", "--model", model, "--json", "--show-values"];
  const said = JSON.parse((await explain(scene.config, ...args)).stdout);

  const settings: any = await (
    await fetch(`${scene.gateway.url}/managed/settings`, { headers })
  ).json();
  expect(untraced(said.settings.keys)).toEqual(settings.settings);
  const list: any = await (await fetch(`${scene.gateway.url}/v1/models`, { headers })).json();
  expect(said.models.listed).toEqual(list.data.map(({ id }: { id: string }) => id));
  const refused = await scene.message({ ...helloCall, model });
  expect(await refused.json()).toMatchObject({ error: { message: said.model.refusal } });

  const haiku = ["--email", "ada@example.com", "--model", "claude-haiku-nope", "--json"];
  const unknown = JSON.parse((await explain(scene.config, ...haiku)).stdout);
  const answer = await scene.message({ ...helloCall, model: "claude-haiku-nope" });
  expect(unknown.model.refusal).toContain("not in the operator's model allowlist");
  expect(await answer.json()).toMatchObject({ error: { message: unknown.model.refusal } });
});
