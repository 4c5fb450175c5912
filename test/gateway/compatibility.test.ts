// `compatibility: { learn: true }` through a running gateway: a beta or a field that an upstream refuses by name is left out,
// the developer notices nothing, and the operator reads it once. Which texts name what is in upstream/refused-items.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { ask, refusalIn } from "../support/calls.ts";
import { cloudAnswer } from "../support/clouds.ts";
import { openScene, type Seen, startUpstream } from "../support/scene.ts";

/** How each API says that it does not know a beta, and a field. */
const rows = [
  {
    provider: "bedrock",
    config: { region: "us-east-1", auth: { aws_bearer_token: "b" } },
    noBeta: () => ({ message: "The model returned the following errors: invalid beta flag" }),
    noField: (name: string) => ({
      message: `Malformed input request: #: extraneous key [${name}] is not permitted, please reformat your input and try again.`,
    }),
  },
  {
    provider: "vertex",
    config: { region: "global", project_id: "p", auth: { access_token: "t" } },
    noBeta: (name: string) =>
      envelope(`Unexpected value(s) \`${name}\` for the \`anthropic-beta\` header.`),
    noField: (name: string) => envelope(`${name}: Extra inputs are not permitted`),
  },
  {
    provider: "anthropic",
    config: { auth: { api_key: "k" } },
    noBeta: (name: string) =>
      envelope(`Unexpected value(s) \`${name}\` for the \`anthropic-beta\` header.`),
    noField: (name: string) => envelope(`${name}: Extra inputs are not permitted`),
  },
] as const;

const cloud = startUpstream();
const scene = await openScene((config) => {
  const entry = (row: (typeof rows)[number], more: object) => ({
    provider: row.provider,
    base_url: cloud.url,
    ...row.config,
    ...more,
  });
  config.upstreams = [
    ...rows.map((row) => entry(row, { compatibility: { learn: true } })),
    ...rows.map((row) => entry(row, { name: `strict-${row.provider}` })),
  ];
  // A model for each test: what is learned holds for one.
  config.models = config.upstreams.flatMap(({ name, provider }: Record<string, string>) =>
    ["beta", "field", "kept", "counted"].map((about) => ({
      id: `${about}-on-${name ?? provider}`,
      upstream_model: { [name ?? provider ?? ""]: about },
    })),
  );
});
afterAll(() => Promise.all([scene.stop(), cloud.stop()]));

/** What the API refuses, by what it says then. */
let refuse: (seen: Seen) => object | undefined = () => undefined;
beforeEach(() => {
  cloud.seen.length = 0;
  refuse = () => undefined;
});
cloud.answer = (seen) => {
  const refusal = refuse(seen);
  return refusal === undefined
    ? cloudAnswer(seen, "answers")
    : Response.json(refusal, { status: 400 });
};

const beta = "brand-new-2099-01-01";
const field = "diagnostics";
const textOf = ({ headers, body }: Seen) =>
  `${headers.get("anthropic-beta")} ${Buffer.from(body).toString()}`;
const mentions = (word: string) => cloud.seen.map((seen) => textOf(seen).includes(word));
const warnings = (about: RegExp) =>
  scene.gateway
    .stderr()
    .split("\n")
    .filter((line) => line.includes(" warn ") && about.test(line));

describe.each([...rows])("$provider", ({ provider, noBeta, noField }) => {
  test("a beta it refuses is left out: of the same request, and of the next ones from the start", async () => {
    refuse = (seen) => (textOf(seen).includes(beta) ? noBeta(beta) : undefined);
    const send = (stream: boolean) =>
      ask(scene, `beta-on-${provider}`, {
        headers: { "anthropic-beta": beta },
        fields: { stream, thinking: { type: "adaptive" }, tools: [{ name: "t" }] },
      });
    expect((await send(false)).status).toBe(200);
    expect(mentions(beta)).toEqual([true, false]);
    expect((await send(true)).status).toBe(200);
    const last = await send(false);
    expect(last.status).toBe(200);
    expect(mentions(beta)).toEqual([true, false, false, false]);
    // Nothing else is missing.
    for (const { body } of cloud.seen)
      expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({
        messages: [{ role: "user", content: "hi" }],
        thinking: { type: "adaptive" },
        tools: [{ name: "t" }],
      });
    const about = new RegExp(
      `upstream '${provider}' does not take the beta ${beta} for beta on /v1/messages`,
    );
    await scene.gateway.waitForLog(about);
    expect(warnings(about)).toHaveLength(1);
    await scene.gateway.audited("inference", { request_id: last.headers.get("x-request-id") });
    // What was sent twice was one request, for the one who counts them.
    const isThis = ({ model }: Record<string, unknown>) => model === `beta-on-${provider}`;
    expect(scene.gateway.audit("inference").filter(isThis)).toHaveLength(3);
  });

  test("a field it refuses is left out likewise, and one warning says so", async () => {
    refuse = (seen) => (textOf(seen).includes(`"${field}"`) ? noField(field) : undefined);
    const send = () => ask(scene, `field-on-${provider}`, { fields: { [field]: { a: 1 } } });
    expect((await send()).status).toBe(200);
    expect((await send()).status).toBe(200);
    expect(mentions(`"${field}"`)).toEqual([true, false, false]);
    const about = new RegExp(`upstream '${provider}' does not take the body field ${field}`);
    await scene.gateway.waitForLog(about);
    expect(warnings(about)).toHaveLength(1);
  });

  test.each(["thinking", "tools", "messages", "system", "output_config"])(
    "%s is never left out: the refusal is the developer's",
    async (name) => {
      refuse = () => noField(name);
      const fields = { [name]: name === "messages" ? [{ role: "user", content: "hi" }] : {} };
      const response = await ask(scene, `kept-on-${provider}`, { fields });
      expect(await refusalIn(response)).toMatchObject({
        status: 400,
        type: "invalid_request_error",
      });
      expect(mentions(`"${name}"`)).toEqual([true]);
    },
  );

  test("is asked once more at most, and what does not help is not remembered", async () => {
    refuse = () => noField(field);
    for (const round of [1, 2]) {
      const response = await ask(scene, `kept-on-${provider}`, { fields: { [field]: 1 } });
      expect(response.status).toBe(400);
      expect(mentions(`"${field}"`)).toEqual([true, false, true, false].slice(0, 2 * round));
    }
  });

  test("without the setting a refusal is passed on and nothing is sent twice", async () => {
    refuse = () => noField(field);
    const model = `field-on-strict-${provider}`;
    expect((await ask(scene, model, { fields: { [field]: 1 } })).status).toBe(400);
    refuse = () => noBeta(beta);
    const headers = { "anthropic-beta": beta };
    expect((await ask(scene, model, { headers })).status).toBe(400);
    expect(cloud.seen).toHaveLength(2);
  });
});

test("what counting does not take is left out of counts only", async () => {
  const [, vertex] = rows;
  refuse = (seen) =>
    seen.url.includes("count-tokens") && textOf(seen).includes(beta)
      ? vertex.noBeta(beta)
      : undefined;
  const headers = { "anthropic-beta": beta };
  const path = "/v1/messages/count_tokens" as const;
  expect((await ask(scene, "counted-on-vertex", { headers, path })).status).toBe(200);
  expect((await ask(scene, "counted-on-vertex", { headers })).status).toBe(200);
  expect(mentions(beta)).toEqual([true, false, true]);
});

function envelope(message: string): object {
  return { type: "error", error: { type: "invalid_request_error", message } };
}
