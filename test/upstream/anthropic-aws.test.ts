// Claude Platform on AWS, as the API sees it: paths, headers, bodies, and by which key or signature it is asked.
import { afterAll, beforeEach, expect, test } from "bun:test";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { createAnthropicAws } from "../../src/upstream/aws/anthropic-aws.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";
import { awsHostsAsked } from "../support/proxy.ts";
import { signedHeadersOf, verifySigV4 } from "../support/sigv4.ts";
import { sourceKeys } from "../support/sts.ts";

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
const keys = {
  aws_access_key_id: sourceKeys.accessKeyId,
  aws_secret_access_key: sourceKeys.secretAccessKey,
};
const settings: UpstreamOf<"anthropicAws"> = {
  provider: "anthropicAws",
  name: "platform",
  region: "us-west-2",
  workspace_id: "wrkspc_1",
  base_url: `${api.url}/proxy`,
  auth: keys,
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};

/** What the API is sent for this call. */
async function sent(
  outbound: ReturnType<typeof outboundCall>,
  { auth = settings.auth, omit = nothingOmitted } = {},
) {
  const options = { userAgent: "gateway/1", now: Date.now, fetch: fetchHere };
  const { exchange } = createAnthropicAws({ ...settings, auth }, options);
  await exchange(outbound, omit, AbortSignal.timeout(5_000));
  return api.seen.at(-1) ?? expect.unreachable();
}

test("a call goes on as it is, without the query, signed, for the workspace", async () => {
  const body = JSON.stringify({ ...call, stream: true, tags: { a: "b" }, anthropic_beta: ["b"] });
  const headers = { "anthropic-workspace-id": "of the client", "x-api-key": "of the client" };
  const got = await sent(outboundCall(body, { search: "?beta=true", headers }));
  expect(got.path).toBe("POST /proxy/v1/messages");
  expect(got.body).toBe(body);
  expect(got.headers.get("anthropic-workspace-id")).toBe("wrkspc_1");
  expect(got.headers.has("x-api-key")).toBe(false);
  expect(got.headers.get("user-agent")).toBe("gateway/1");
  const request = {
    method: "POST",
    url: "/proxy/v1/messages",
    headers: got.headers,
    body: Buffer.from(body),
  };
  const { secretAccessKey } = sourceKeys;
  const expected = { secretAccessKey, region: "us-west-2", service: "aws-external-anthropic" };
  expect(verifySigV4(request, expected)).toBe(true);
  expect(signedHeadersOf(got.headers)).toEqual(
    expect.arrayContaining(["anthropic-version", "anthropic-workspace-id", "x-team"]),
  );
});

test("counting has the Messages API's path, for the workspace too", async () => {
  const { path, headers } = await sent(outboundCall(call, { path: "/v1/messages/count_tokens" }));
  expect(path).toBe("POST /proxy/v1/messages/count_tokens");
  expect(headers.get("anthropic-workspace-id")).toBe("wrkspc_1");
  expect(headers.get("x-team")).toBe("a");
});

test("the model is the one that the platform knows", async () => {
  const { body } = await sent(outboundCall(call, { upstreamModel: "claude-opus-4-8-20260101" }));
  expect(JSON.parse(body)).toEqual({ ...call, model: "claude-opus-4-8-20260101" });
});

test("betas go on, the one for tags too, but for those omitted", async () => {
  const omit = { betas: new Set(["b"]), fields: new Set(["max_tokens"]) };
  const headers = { "anthropic-beta": "a,request-tags-2026-08-21,b" };
  const got = await sent(outboundCall(call, { headers }), { omit });
  expect(got.headers.get("anthropic-beta")).toBe("a,request-tags-2026-08-21");
  expect(JSON.parse(got.body)).not.toHaveProperty("max_tokens");
});

test("an API key counts before keys of AWS's, and then nothing is signed", async () => {
  const { headers } = await sent(outboundCall(call), {
    auth: { ...keys, api_key: "platform-key" },
  });
  expect(headers.get("x-api-key")).toBe("platform-key");
  expect(headers.get("anthropic-workspace-id")).toBe("wrkspc_1");
  expect([...headers.keys()].filter((name) => /^(authorization|x-amz-.*)$/.test(name))).toEqual([]);
});

test("without any key nothing is sent", async () => {
  const error = await rejection(sent(outboundCall(call), { auth: {} }));
  expect(error).toBeInstanceOf(CredentialError);
  expect(error.message).toStartWith("no credential for upstream 'platform': ");
  expect(api.seen).toEqual([]);
});

test("without base_url a region has a host of its own", async () => {
  expect(await awsHostsAsked(["anthropicAws", "us-west-2", "us-gov-west-1"])).toEqual([
    "aws-external-anthropic.us-west-2.api.aws",
    "aws-external-anthropic.us-gov-west-1.api.aws",
  ]);
});
