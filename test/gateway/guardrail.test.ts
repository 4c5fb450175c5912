// A guardrail through a running gateway: it goes with every Bedrock inference, and no request may bring another one, wherever
// it would go.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { ask, refusalIn } from "../support/calls.ts";
import { cloudAnswer } from "../support/clouds.ts";
import { openScene, startUpstream } from "../support/scene.ts";

const cloud = startUpstream();
cloud.answer = (seen) => cloudAnswer(seen, "answers");

const bedrock = (name: string, more: object) => ({
  provider: "bedrock",
  name,
  base_url: cloud.url,
  region: "us-east-1",
  auth: { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" },
  ...more,
});
const anthropic = { provider: "anthropic", base_url: cloud.url, auth: { api_key: "k" } };
const models = ["east", "west", "anthropic"].map((name) => ({
  id: `on-${name}`,
  upstream_model: { [name]: "claude-opus-4-8" },
}));

const [guarded, unguarded] = await Promise.all([
  openScene((config) => {
    config.upstreams = [
      bedrock("east", { guardrail: { id: "gr-abc123", version: "7" } }),
      bedrock("west", { guardrail: { id: "gr-other", version: "DRAFT" } }),
      anthropic,
    ];
    config.models = models;
  }),
  openScene((config) => {
    config.upstreams = [bedrock("east", {}), bedrock("west", {}), anthropic];
    config.models = models;
  }),
]);
afterAll(() => Promise.all([guarded, unguarded, cloud].map((each) => each.stop())));
beforeEach(() => {
  cloud.seen.length = 0;
});

const count = { path: "/v1/messages/count_tokens" } as const;

describe("the guardrail's headers", () => {
  test.each([{}, { stream: true }])(
    "go with a Bedrock inference, and are signed: %p",
    async (fields) => {
      await ask(guarded, "on-east", { fields });
      await ask(guarded, "on-west", { fields });
      expect(
        cloud.seen.map(({ headers }) => [
          headers.get("x-amzn-bedrock-guardrailidentifier"),
          headers.get("x-amzn-bedrock-guardrailversion"),
        ]),
      ).toEqual([
        ["gr-abc123", "7"],
        ["gr-other", "DRAFT"],
      ]);
      for (const { headers } of cloud.seen) {
        expect(headers.get("authorization")).toMatch(
          /SignedHeaders=[^,]*;x-amzn-bedrock-guardrailidentifier;x-amzn-bedrock-guardrailversion/,
        );
      }
    },
  );

  test("are the operator's: a client's own stay behind", async () => {
    const headers = {
      "x-amzn-bedrock-guardrailidentifier": "mine",
      "x-amzn-bedrock-guardrailversion": "1",
      "x-amzn-bedrock-trace": "ENABLED",
    };
    for (const scene of [guarded, unguarded])
      for (const model of ["on-east", "on-anthropic"]) await ask(scene, model, { headers });
    const [east, ...others] = cloud.seen.map(({ headers: sent }) =>
      [...sent].filter(([name]) => name.startsWith("x-amzn-")),
    );
    expect(east).toEqual([
      ["x-amzn-bedrock-guardrailidentifier", "gr-abc123"],
      ["x-amzn-bedrock-guardrailversion", "7"],
    ]);
    expect(others).toEqual([[], [], []]);
  });

  test("go neither with a count nor to another provider", async () => {
    await ask(guarded, "on-east", count);
    await ask(guarded, "on-anthropic");
    expect(cloud.seen).toHaveLength(2);
    for (const { headers } of cloud.seen)
      expect([...headers.keys()].filter((name) => name.includes("guardrail"))).toEqual([]);
  });
});

describe("a body with a guardrail field of its own", () => {
  const field = "amazon-bedrock-guardrailConfig";
  const fields = { [field]: { tagSuffix: "x" } };

  test.each(["on-east", "on-west", "on-anthropic"])(
    "is refused before anybody is asked: %s",
    async (model) => {
      expect(await refusalIn(await ask(guarded, model, { fields }))).toEqual({
        status: 400,
        type: "invalid_request_error",
        message: `${field} is not permitted: this gateway applies a guardrail to Bedrock requests`,
      });
      expect(cloud.seen).toEqual([]);
    },
  );

  test("is refused however the name is spelled", async () => {
    for (const name of ["AMAZON-BEDROCK-trace", "amazon\\u002dbedrock-guardrailConfig"]) {
      const body = `{"model":"on-east","max_tokens":1,"messages":[],"${name}":1}`;
      expect((await guarded.message(body)).status).toBe(400);
    }
    expect(cloud.seen).toEqual([]);
  });

  test("passes where it is not a field of the request but text in it", async () => {
    expect((await ask(guarded, "on-east", { fields: { metadata: fields } })).status).toBe(200);
  });

  test("passes when tokens are counted", async () => {
    expect((await ask(guarded, "on-anthropic", { fields, ...count })).status).toBe(200);
  });

  test("passes where no guardrail is configured", async () => {
    for (const model of ["on-east", "on-anthropic"])
      expect((await ask(unguarded, model, { fields })).status).toBe(200);
    expect(cloud.seen.map(({ body }) => Buffer.from(body).includes(field))).toEqual([true, true]);
  });
});
