// Claude in Amazon Bedrock, as the API sees it: paths, headers, whose signature; and where it is looked for. Bodies are tried in
// bedrock-body.test.ts, counting in bedrock-count.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { createBedrock } from "../../src/upstream/aws/bedrock.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import type { OutboundCall } from "../../src/upstream/upstream.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";
import { awsHostsAsked } from "../support/proxy.ts";
import { accessKeyIdOf, signedHeadersOf, verifySigV4 } from "../support/sigv4.ts";
import { roleArn, sourceKeys, startSts, stsRegion } from "../support/sts.ts";
import { chunkOf, readAll } from "../support/frames.ts";

clearAwsEnvironment();

const api = startCloudApi();
const sts = startSts();
beforeEach(() => {
  api.seen.length = 0;
  sts.asked.length = 0;
});
afterAll(() => Promise.all([api.stop(), sts.stop()]));

const call = {
  model: "claude-opus-4-8",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};
const upstreamModel = "us.anthropic.claude-opus-4-8";
const count = "/v1/messages/count_tokens" as const;

const settings: UpstreamOf<"bedrock"> = {
  provider: "bedrock",
  name: "bedrock",
  region: stsRegion,
  base_url: `${api.url}/proxy`,
  auth: {
    aws_access_key_id: sourceKeys.accessKeyId,
    aws_secret_access_key: sourceKeys.secretAccessKey,
  },
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};
const bedrock = (changes: Partial<UpstreamOf<"bedrock">> = {}) =>
  createBedrock(
    { ...settings, ...changes },
    { userAgent: "gateway/1", now: Date.now, fetch: fetchHere },
  );

/** What the API is sent for this call. */
async function sent(
  outbound: OutboundCall = outboundCall(call, { upstreamModel }),
  changes: Partial<UpstreamOf<"bedrock">> = {},
) {
  const { exchange } = await bedrock(changes);
  await exchange(outbound, nothingOmitted, AbortSignal.timeout(5_000));
  const { path, headers, body } = api.seen.at(-1) ?? expect.unreachable();
  const { secretAccessKey } = sourceKeys;
  const isSigned = verifySigV4(
    { method: "POST", url: path.replace("POST ", ""), headers, body: Buffer.from(body) },
    { secretAccessKey, region: stsRegion, service: "bedrock" },
  );
  return { path, headers, body, isSigned };
}

describe("a call", () => {
  test("goes to its model's path, without the query, signed for Bedrock", async () => {
    const got = await sent(outboundCall(call, { upstreamModel, search: "?beta=true" }));
    expect(got.path).toBe(`POST /proxy/model/${upstreamModel}/invoke`);
    expect(got.isSigned).toBe(true);
    const { model: _, ...rest } = call;
    expect(JSON.parse(got.body)).toEqual({ anthropic_version: "bedrock-2023-05-31", ...rest });
    expect(got.headers.get("user-agent")).toBe("gateway/1");
    expect(got.headers.get("x-team")).toBe("a");
  });

  test("that is streamed has a path of its own", async () => {
    const got = await sent(outboundCall({ ...call, stream: true }, { upstreamModel }));
    expect(got.path).toBe(`POST /proxy/model/${upstreamModel}/invoke-with-response-stream`);
    expect(JSON.parse(got.body)).not.toHaveProperty("stream");
  });

  test.each([
    ["anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1%3A0"],
    [
      "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/a1",
      "arn%3Aaws%3Abedrock%3Aus-east-1%3A111111111111%3Aapplication-inference-profile%2Fa1",
    ],
    ["a/../../else?b#c d", "a%2F..%2F..%2Felse%3Fb%23c%20d"],
    ["it's(a)*!~", "it's(a)*!~"],
  ])("for model %s names it in one segment, and its signature is good", async (model, segment) => {
    const got = await sent(outboundCall(call, { upstreamModel: model }));
    expect(got.path).toBe(`POST /proxy/model/${segment}/invoke`);
    expect(got.isSigned).toBe(true);
  });

  test("has betas in its body and not in a header", async () => {
    const got = await sent(
      outboundCall(call, { upstreamModel, headers: { "anthropic-beta": "a" } }),
    );
    expect(got.headers.has("anthropic-beta")).toBe(false);
    expect(JSON.parse(got.body)).toMatchObject({ anthropic_beta: ["a"] });
  });

  test("has nothing of the client's that AWS would take for ours", async () => {
    const headers = {
      authorization: "Bearer evil",
      "x-api-key": "evil",
      "x-amz-security-token": "evil",
      "x-amzn-bedrock-guardrailidentifier": "evil",
      "x-team": "evil",
      "x-stainless-lang": "é",
    };
    const got = await sent(outboundCall(call, { upstreamModel, headers }));
    expect(JSON.stringify([...got.headers])).not.toMatch(/evil|é/);
    expect(got.isSigned).toBe(true);
  });

  test("carries an Amazon Bedrock API key where there is one", async () => {
    const got = await sent(undefined, { auth: { aws_bearer_token: "bedrock-api-key" } });
    expect(got.headers.get("authorization")).toBe("Bearer bedrock-api-key");
  });

  test("is signed by the developer's session of a role", async () => {
    process.env["AWS_ENDPOINT_URL_STS"] = sts.url;
    const principal = { sub: "ada", email: undefined, name: undefined, groups: [] };
    const assume_role = { role_arn: roleArn, session_name: "sub" as const };
    for (const path of ["/v1/messages", count] as const) {
      const got = await sent(outboundCall(call, { upstreamModel, principal, path }), {
        assume_role,
      });
      expect(accessKeyIdOf(got.headers)).toStartWith("ASIA");
    }
    expect(sts.asked.map(({ RoleSessionName }) => RoleSessionName)).toEqual(["ada", "ada"]);
  });

  test("is not sent without keys", async () => {
    const error = await rejection(sent(undefined, { auth: {} }));
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toStartWith("no credential for upstream 'bedrock': ");
    expect(api.seen).toEqual([]);
  });
});

describe("a guardrail", () => {
  const guardrail = { id: "arn:aws:bedrock:us-east-1:111111111111:guardrail/g1", version: "DRAFT" };
  const names = ["x-amzn-bedrock-guardrailidentifier", "x-amzn-bedrock-guardrailversion"];

  test.each([false, true])("goes with every call, signed (streamed: %s)", async (stream) => {
    const outbound = outboundCall({ ...call, stream }, { upstreamModel });
    const { headers, isSigned } = await sent(outbound, { guardrail });
    expect(names.map((name) => headers.get(name))).toEqual([guardrail.id, guardrail.version]);
    expect(signedHeadersOf(headers)).toEqual(expect.arrayContaining(names));
    expect(isSigned).toBe(true);
  });

  test("does not go with a count, which has the upstream's other headers", async () => {
    const outbound = outboundCall(call, { upstreamModel, path: count });
    const { path, headers, isSigned } = await sent(outbound, { guardrail });
    expect(path).toEndWith("/count-tokens");
    expect(names.filter((name) => headers.has(name))).toEqual([]);
    expect(headers.get("x-team")).toBe("a");
    expect(isSigned).toBe(true);
  });
});

describe("an answer", () => {
  test("that is streamed comes in frames of AWS's", async () => {
    const { eventReader } = await bedrock();
    expect(readAll(eventReader(), [chunkOf('{"type":"ping2"}')])).toEqual({
      events: 'event: ping2\ndata: {"type":"ping2"}\n\n',
      broke: undefined,
    });
  });

  test("of a model is as it came, and of a count in the Messages API's words", async () => {
    const { readJson } = await bedrock();
    const body = Buffer.from('{"inputTokens":17}');
    expect(readJson?.(body, outboundCall(call))).toBe(body);
    const counted = readJson?.(body, outboundCall(call, { path: count })) ?? new Uint8Array();
    expect(Buffer.from(counted).toString()).toBe('{"input_tokens":17}');
  });
});

describe("without base_url a region has the host that AWS gives it", () => {
  test("in each of AWS's partitions", async () => {
    const regions = ["us-east-1", "us-gov-west-1", "cn-north-1"] as const;
    expect(await awsHostsAsked(["bedrock", ...regions])).toEqual([
      "bedrock-runtime.us-east-1.amazonaws.com",
      "bedrock-runtime.us-gov-west-1.amazonaws.com",
      "bedrock-runtime.cn-north-1.amazonaws.com.cn",
    ]);
  });

  test("with FIPS where that is asked for", async () => {
    const env = { AWS_USE_FIPS_ENDPOINT: "true" };
    expect(await awsHostsAsked(["bedrock", "us-east-1", "us-gov-west-1"], env)).toEqual([
      "bedrock-runtime-fips.us-east-1.amazonaws.com",
      "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
    ]);
  });
});
