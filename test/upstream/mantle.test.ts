// Bedrock's Messages endpoint, as the API sees it: paths, headers, bodies, and whose signature.
import { afterAll, beforeEach, expect, test } from "bun:test";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { nothingOmitted, type Omissions } from "../../src/upstream/exchange.ts";
import { createMantle } from "../../src/upstream/aws/mantle.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { awsHostsAsked } from "../support/proxy.ts";
import { accessKeyIdOf, signedHeadersOf, verifySigV4 } from "../support/sigv4.ts";
import { roleArn, sourceKeys, startSts, stsRegion } from "../support/sts.ts";

clearAwsEnvironment();

const api = startCloudApi();
beforeEach(() => {
  api.seen.length = 0;
});
afterAll(() => api.stop());

const call = {
  model: "claude-opus-4-8",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};
const upstreamModel = "anthropic.claude-opus-4-8";

const settings: UpstreamOf<"mantle"> = {
  provider: "mantle",
  name: "mantle",
  region: stsRegion,
  models: ["*"],
  base_url: `${api.url}/anthropic`,
  auth: {
    aws_access_key_id: sourceKeys.accessKeyId,
    aws_secret_access_key: sourceKeys.secretAccessKey,
  },
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};

/** What the API is sent for this call. */
async function sent(
  outbound: ReturnType<typeof outboundCall>,
  {
    changes = {},
    omit = nothingOmitted,
  }: { changes?: Partial<typeof settings>; omit?: Omissions } = {},
) {
  const options = { userAgent: "gateway/1", now: Date.now, fetch: fetchHere };
  const { exchange } = createMantle({ ...settings, ...changes }, options);
  await exchange(outbound, omit, AbortSignal.timeout(5_000));
  return api.seen.at(-1) ?? expect.unreachable();
}

test("a call goes on with its model's id, without the query and tags, signed for Mantle", async () => {
  const body = { ...call, stream: true, tags: { a: "b" }, anthropic_version: "own" };
  const {
    path,
    headers,
    body: got,
  } = await sent(outboundCall(body, { upstreamModel, search: "?beta=true" }));
  expect(path).toBe("POST /anthropic/v1/messages");
  const { tags: _, ...rest } = body;
  expect(JSON.parse(got)).toEqual({ ...rest, model: upstreamModel });
  const request = {
    method: "POST",
    url: "/anthropic/v1/messages",
    headers,
    body: Buffer.from(got),
  };
  const { secretAccessKey } = sourceKeys;
  const expected = { secretAccessKey, region: stsRegion, service: "bedrock-mantle" };
  expect(verifySigV4(request, expected)).toBe(true);
  expect(signedHeadersOf(headers)).toEqual(expect.arrayContaining(["anthropic-version", "x-team"]));
  expect(headers.get("user-agent")).toBe("gateway/1");
});

test("counting has the Messages API's path, and the same headers", async () => {
  const { path, headers } = await sent(outboundCall(call, { path: "/v1/messages/count_tokens" }));
  expect(path).toBe("POST /anthropic/v1/messages/count_tokens");
  expect(headers.get("x-team")).toBe("a");
});

test("betas go on, but for the one for tags and those omitted", async () => {
  const omit = { betas: new Set(["b"]), fields: new Set(["max_tokens"]) };
  const headers = { "anthropic-beta": "a,request-tags-2026-08-21, b,c" };
  const got = await sent(outboundCall(call, { headers }), { omit });
  expect(got.headers.get("anthropic-beta")).toBe("a,c");
  expect(JSON.parse(got.body)).not.toHaveProperty("max_tokens");
});

test("no betas, no header", async () => {
  const headers = { "anthropic-beta": "request-tags-2026-08-21" };
  const got = await sent(outboundCall(call, { headers }));
  expect(got.headers.has("anthropic-beta")).toBe(false);
});

test("a call carries an Amazon Bedrock API key where there is one", async () => {
  const changes = { auth: { aws_bearer_token: "bedrock-api-key" } };
  const { headers } = await sent(outboundCall(call), { changes });
  expect(headers.get("authorization")).toBe("Bearer bedrock-api-key");
  expect(headers.has("x-api-key")).toBe(false);
});

test("a call is signed by the session of a role where there is one", async () => {
  const sts = startSts();
  process.env["AWS_ENDPOINT_URL_STS"] = sts.url;
  const { headers } = await sent(outboundCall(call), {
    changes: { assume_role: { role_arn: roleArn } },
  });
  await sts.stop();
  expect(accessKeyIdOf(headers)).toStartWith("ASIA");
});

test("without base_url a region has a host of its own, and none for FIPS", async () => {
  const env = { AWS_USE_FIPS_ENDPOINT: "true" };
  expect(await awsHostsAsked(["mantle", "us-east-1", "us-gov-west-1"], env)).toEqual([
    "bedrock-mantle.us-east-1.api.aws",
    "bedrock-mantle.us-gov-west-1.api.aws",
  ]);
});
