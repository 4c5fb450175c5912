// Every provider through a running gateway: the same calls, each in its own words on the wire, and the same answers for the
// developer.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Behaviour, cloudAnswer, messageEvents, messageText } from "../support/clouds.ts";
import { eventStream, openScene, type Seen, startUpstream } from "../support/scene.ts";

const aws = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };
const signature = (region: string, service: string) =>
  new RegExp(`^AWS4-HMAC-SHA256 Credential=AKIATEST/\\d{8}/${region}/${service}/aws4_request, `);

type Row = {
  provider: string;
  config: Record<string, unknown>;
  /** Paths of a JSON answer, a stream and a count. */
  paths: [json: string, stream: string, count: string];
  proof: Record<string, string | RegExp>;
  /** What the body of a JSON call is beside messages, max_tokens and tags. */
  body: Record<string, unknown>;
  tags: boolean;
  betas: string | null;
};

const betas = "claude-code-20250219,request-tags-2026-08-21";
const asMessages = { paths: paths("/v1/messages", "/v1/messages", "/v1/messages/count_tokens") };

const rows: readonly Row[] = [
  {
    provider: "bedrock",
    config: { region: "us-east-1", auth: aws },
    paths: paths(
      "/model/us.anthropic.claude-opus-4-8/invoke",
      "/model/us.anthropic.claude-opus-4-8/invoke-with-response-stream",
      "/model/anthropic.claude-opus-4-8/count-tokens",
    ),
    proof: { authorization: signature("us-east-1", "bedrock") },
    body: { anthropic_version: "bedrock-2023-05-31", anthropic_beta: ["claude-code-20250219"] },
    tags: false,
    betas: null,
  },
  {
    provider: "mantle",
    config: { region: "us-east-1", auth: aws, models: ["*"] },
    ...asMessages,
    proof: { authorization: signature("us-east-1", "bedrock-mantle") },
    body: { model: "anthropic.claude-opus-4-8" },
    tags: false,
    betas: "claude-code-20250219",
  },
  {
    provider: "anthropicAws",
    config: { region: "us-west-2", workspace_id: "wrkspc_1", auth: aws },
    ...asMessages,
    proof: {
      authorization: signature("us-west-2", "aws-external-anthropic"),
      "anthropic-workspace-id": "wrkspc_1",
    },
    body: { model: "claude-opus-4-8" },
    tags: true,
    betas,
  },
  ...(["vertex", "google_cloud"] as const).map((provider) => ({
    provider,
    config: { region: "us-east5", project_id: "example-prod", auth: {} },
    paths: [
      "claude-opus-4-8:rawPredict",
      "claude-opus-4-8:streamRawPredict",
      "count-tokens:rawPredict",
    ].map(
      (method) => `/projects/example-prod/locations/us-east5/publishers/anthropic/models/${method}`,
    ) as Row["paths"],
    proof: { authorization: "Bearer ya29.token" },
    body: { anthropic_version: "vertex-2023-10-16" },
    tags: false,
    betas: "claude-code-20250219",
  })),
  {
    provider: "anthropicGoogleCloud",
    config: { project_id: "example-prod", workspace_id: "wrkspc_2", auth: {} },
    ...asMessages,
    proof: { authorization: "Bearer ya29.token" },
    body: { model: "claude-opus-4-8" },
    tags: true,
    betas,
  },
  {
    provider: "foundry",
    config: { resource: "example", auth: { api_key: "foundry-key" } },
    ...asMessages,
    proof: { "x-api-key": "foundry-key" },
    body: { model: "claude-opus-4-8" },
    tags: true,
    betas,
  },
];

const clouds = startUpstream();
const directory = mkdtempSync(join(tmpdir(), "gateway-google-"));
writeFileSync(join(directory, "subject"), "subject-token");
const adc = join(directory, "adc.json");
writeFileSync(
  adc,
  JSON.stringify({
    type: "external_account",
    audience: "//iam.googleapis.com/pool",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${clouds.url}/token`,
    credential_source: { file: join(directory, "subject") },
  }),
);

/** One model for each upstream, so that one gateway serves the whole table. */
const builtin: Record<string, string> = {
  bedrock: "us.anthropic.claude-opus-4-8",
  mantle: "anthropic.claude-opus-4-8",
};
const scene = await openScene(
  (config) => {
    config.auto_include_builtin_models = false;
    config.upstreams = rows.map(({ provider, config: own }) => ({
      provider,
      base_url: clouds.url,
      ...own,
    }));
    config.models = rows.map(({ provider }) => ({
      id: `on-${provider}`,
      upstream_model: { [provider]: builtin[provider] ?? "claude-opus-4-8" },
    }));
  },
  { GOOGLE_APPLICATION_CREDENTIALS: adc },
);
afterAll(async () => {
  await Promise.all([scene.stop(), clouds.stop()]);
});

let behaviour: Behaviour = "answers";
clouds.answer = (seen) => cloudAnswer(seen, behaviour);
beforeEach(() => {
  behaviour = "answers";
  clouds.seen.length = 0;
});

describe.each(rows)("$provider", (row) => {
  const call = {
    model: `on-${row.provider}`,
    max_tokens: 16,
    messages: [{ role: "user", content: "hi" }],
    tags: { team: "eng" },
  };
  const ask = async (more: object = {}, path = "/v1/messages") =>
    fetch(`${scene.gateway.url}${path}?beta=true`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await scene.bearer()}`,
        "anthropic-beta": betas,
        "x-api-key": "evil",
        cookie: "a=b",
      },
      body: JSON.stringify({ ...call, ...more }),
    });
  /** The one request that is not for a token. */
  const sent = (): Seen => {
    const calls = clouds.seen.filter(({ url }) => !url.endsWith("/token"));
    expect(calls.length).toBe(1);
    return calls[0] as Seen;
  };
  const told = async (response: Response) => {
    const text = await response.text();
    expect(text + JSON.stringify([...response.headers])).not.toMatch(/123456789012|example-prod/);
    const { error } = JSON.parse(text) as { error: { type: string; message: string } };
    return { status: response.status, ...error };
  };

  test("JSON: asked in its own words, answered in the Messages API's", async () => {
    const response = await ask();
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(messageText);
    expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
    const { url, headers, body } = sent();
    expect(decodeURIComponent(url)).toBe(row.paths[0]);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      max_tokens: 16,
      messages: call.messages,
      ...(row.tags && { tags: call.tags }),
      ...row.body,
    });
    expect(headers.get("anthropic-beta")).toBe(row.betas);
    for (const [name, value] of Object.entries(row.proof)) {
      if (value instanceof RegExp) expect(headers.get(name)).toMatch(value);
      else expect(headers.get(name)).toBe(value);
    }
    expect(headers.get("cookie")).toBeNull();
    expect([null, "foundry-key"]).toContain(headers.get("x-api-key"));
    await scene.gateway.audited("inference", {
      request_id: response.headers.get("request-id"),
      upstream: row.provider,
      upstream_request_id: "req_cloud",
      upstream_cloud_request_id: "amz-1",
      status: 200,
    });
  });

  test("stream: server-sent events, byte for byte what the model said", async () => {
    const response = await ask({ stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await response.text()).toBe(eventStream(messageEvents));
    expect(decodeURIComponent(sent().url)).toBe(row.paths[1]);
  });

  test("count_tokens: by the provider's own API", async () => {
    const response = await ask({}, "/v1/messages/count_tokens");
    expect(await response.json()).toEqual({ input_tokens: 17 });
    expect(decodeURIComponent(sent().url)).toBe(row.paths[2]);
  });

  test("400: classified, and the provider's text stays with the operator", async () => {
    behaviour = 400;
    expect(await told(await ask())).toEqual({
      status: 400,
      type: "invalid_request_error",
      message: "upstream rejected the request",
    });
  });

  test("429: in words that every provider shares", async () => {
    behaviour = 429;
    expect(await told(await ask())).toEqual({
      status: 429,
      type: "rate_limit_error",
      message: "upstream rate limit exceeded",
    });
    await scene.gateway.waitForLog(
      new RegExp(
        `warn .*upstream 429 .*${row.provider}.*req_cloud; amz-1; .*arn:aws:iam::123456789012:role/gateway; `,
      ),
    );
  });

  test("500: the gateway's own 502 when nobody else is left", async () => {
    behaviour = 500;
    expect(await told(await ask())).toEqual({
      status: 502,
      type: "api_error",
      message: `all upstreams failed (${rows.length} attempted)`,
    });
  });

  test("a stream that breaks off: the events that were whole, then an error event", async () => {
    behaviour = "breaks off";
    const response = await ask({ stream: true });
    const text = await response.text();
    const whole = eventStream(messageEvents.slice(0, 2));
    expect(text.startsWith(whole)).toBe(true);
    expect(text.slice(whole.length)).toBe(
      `event: error\ndata: ${JSON.stringify({
        type: "error",
        request_id: response.headers.get("request-id"),
        error: { type: "api_error", message: "upstream error" },
      })}\n\n`,
    );
    await scene.gateway.waitForLog(/upstream broke off/);
  });

  test("a JSON answer that breaks off is no answer", async () => {
    behaviour = "breaks off";
    expect((await ask()).status).toBe(502);
  });
});

function paths(json: string, stream: string, count: string): Row["paths"] {
  return [json, stream, count];
}
