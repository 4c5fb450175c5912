// Requests to AWS as they arrive there: whose signature they carry, and over what. Signatures are recomputed by
// support/sigv4.ts, which is held against AWS's own examples first.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sendSigned } from "../../src/upstream/aws/post.ts";
import {
  type AwsSigner,
  createAwsSigner,
  createSecretSigner,
  type SignerOptions,
} from "../../src/upstream/aws/signing.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { PrincipalUnfitError } from "../../src/upstream/upstream.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { rejection } from "../support/idp.ts";
import {
  accessKeyIdOf,
  type ArrivedRequest,
  signedHeadersOf,
  verifySigV4,
} from "../support/sigv4.ts";
import { roleArn, sourceKeys, startSts, stsRegion } from "../support/sts.ts";

clearAwsEnvironment();

const { accessKeyId, secretAccessKey } = sourceKeys;
const keys = { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey };
const expected = { secretAccessKey, region: stsRegion, service: "bedrock" };
const ada = { sub: "ada", email: "ada@example.com", name: undefined, groups: [] };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const arrived: ArrivedRequest[] = [];
const aws = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { method, url, headers } = request;
    arrived.push({ method, url, headers, body: await request.bytes() });
    return answer();
  },
});
let answer = () => new Response();
const sts = startSts();

beforeEach(() => {
  answer = () => new Response();
  arrived.length = 0;
  sts.asked.length = 0;
});
afterAll(() => Promise.all([aws.stop(true), sts.stop()]));

const signerOf = (
  auth: Parameters<typeof createAwsSigner>[0],
  options: Partial<SignerOptions> = {},
): AwsSigner =>
  createAwsSigner(auth, {
    owner: "upstream 'bedrock'",
    region: stsRegion,
    service: "bedrock",
    now: Date.now,
    fetch: fetchHere,
    ...options,
  });

/** What arrives of a request that is sent as every AWS upstream sends it. */
async function send(
  sign: AwsSigner,
  { path = "/model/m/invoke", headers = {}, body = text("{}") } = {},
): Promise<ArrivedRequest> {
  const request = { url: new URL(path, aws.url), headers: new Headers(headers), body };
  await sendSigned(fetchHere, sign, request, { principal: ada }, AbortSignal.timeout(5_000));
  const last = arrived.at(-1);
  if (last === undefined) throw new Error("nothing arrived");
  return last;
}

describe("the verifier of these tests", () => {
  /** https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite and the IAM guide. */
  const date = { "x-amz-date": "20150830T123600Z" };
  const example = { ...date, host: "example.amazonaws.com" };
  const service = { secretAccessKey, region: "us-east-1", service: "service" };
  const claim = (signature: string, names = "host;x-amz-date", of = "service") => ({
    authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/${of}/aws4_request, SignedHeaders=${names}, Signature=${signature}`,
  });
  const vanilla = claim("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  const none = new Uint8Array();

  test.each([
    ["get-vanilla", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    [
      "get-relative",
      "/example/..",
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ],
    [
      "get-slashes",
      "//example//",
      "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ],
    ["get-utf8", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
    [
      "get-space",
      "/example space/",
      "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ],
    [
      "get-vanilla-query-order-key-case",
      "/?Param2=value2&Param1=value1",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
  ])("takes AWS's example %s", (_, url, signature) => {
    const headers = new Headers({ ...example, ...claim(signature) });
    expect(verifySigV4({ method: "GET", url, headers, body: none }, service)).toBe(true);
  });

  test("takes the example of the IAM guide", () => {
    const headers = new Headers({
      ...date,
      host: "iam.amazonaws.com",
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      ...claim(
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        "content-type;host;x-amz-date",
        "iam",
      ),
    });
    const url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
    const iam = { ...service, service: "iam" };
    expect(verifySigV4({ method: "GET", url, headers, body: none }, iam)).toBe(true);
  });

  test.each<[string, Partial<ArrivedRequest>, Partial<typeof service>?]>([
    ["method", { method: "POST" }],
    ["path", { url: "/x" }],
    ["query", { url: "/?x=1" }],
    ["body", { body: text("x") }],
    ["host", { headers: new Headers({ ...example, host: "other.example", ...vanilla }) }],
    [
      "date",
      { headers: new Headers({ ...example, "x-amz-date": "20150830T123601Z", ...vanilla }) },
    ],
    [
      "body's hash",
      { headers: new Headers({ ...example, "x-amz-content-sha256": "0", ...vanilla }) },
    ],
    [
      "token, not signed",
      { headers: new Headers({ ...example, "x-amz-security-token": "t", ...vanilla }) },
    ],
    ["signature left out", { headers: new Headers(example) }],
    ["secret", {}, { secretAccessKey: "other" }],
    ["region", {}, { region: "us-east-2" }],
    ["service", {}, { service: "iam" }],
  ])("refuses another %s", (_, change, other = {}) => {
    const headers = new Headers({ ...example, ...vanilla });
    const request = { method: "GET", url: "/", headers, body: none, ...change };
    expect(verifySigV4(request, { ...service, ...other })).toBe(false);
  });
});

describe("a signed request", () => {
  test.each([
    ["a colon", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke"],
    ["an escaped colon", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"],
    [
      "an ARN",
      `/model/${encodeURIComponent("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2")}/invoke`,
    ],
    ["a path of its own in base_url, and a query", "/proxy/anthropic/v1/messages?b=2&a=1&a=%2F"],
  ])("verifies with %s in its path", async (_, path) => {
    expect(verifySigV4(await send(signerOf(keys), { path }), expected)).toBe(true);
  });

  test.each(["bedrock", "bedrock-mantle", "aws-external-anthropic"] as const)(
    "verifies for the service %s and no other",
    async (service) => {
      const request = await send(signerOf(keys, { service }));
      expect(verifySigV4(request, { ...expected, service })).toBe(true);
      expect(verifySigV4(request, { ...expected, service: "other" })).toBe(false);
    },
  );

  test("verifies whatever its path, headers, body and keys are", async () => {
    const name = fc
      .stringMatching(/^x-[a-z0-9_.!~-]{1,20}$/)
      .filter((it) => !it.startsWith("x-amz"));
    const value = fc.stringMatching(/^[!-~]([ -~]{0,40}[!-~])?$/);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { minLength: 1, maxLength: 4 }),
        fc.dictionary(name, value, { maxKeys: 5 }),
        fc.uint8Array({ maxLength: 2_000 }),
        fc.record({ secret: fc.stringMatching(/^[!-~]{1,60}$/), token: fc.option(value) }),
        async (segments, headers, body, { secret, token }) => {
          const path = `/${segments.map(encodeURIComponent).join("/")}`;
          const auth = {
            aws_access_key_id: "AKID",
            aws_secret_access_key: secret,
            ...(token !== null && { aws_session_token: token }),
          };
          const request = await send(signerOf(auth), { path, headers, body });
          expect(verifySigV4(request, { ...expected, secretAccessKey: secret })).toBe(true);
          expect(signedHeadersOf(request.headers)).toEqual(
            expect.arrayContaining(Object.keys(headers)),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test("has every header under its signature that proxies leave alone", async () => {
    const headers = {
      accept: "application/json",
      "anthropic-version": "2023-06-01",
      "content-type": "application/json",
      "user-agent": "gateway/1",
      "x-amzn-bedrock-guardrailidentifier": "g1",
      "x-corp": "two  blanks",
      "x-stainless-lang": "js",
    };
    const request = await send(signerOf({ ...keys, aws_session_token: "token/1==" }), { headers });
    expect(verifySigV4(request, expected)).toBe(true);
    expect(signedHeadersOf(request.headers)).toEqual([
      "accept",
      "anthropic-version",
      "content-type",
      "host",
      "x-amz-content-sha256",
      "x-amz-date",
      "x-amz-security-token",
      "x-amzn-bedrock-guardrailidentifier",
      "x-corp",
      "x-stainless-lang",
    ]);
    expect(request.headers.get("user-agent")).toBe("gateway/1");
    expect(request.headers.get("x-amz-security-token")).toBe("token/1==");
  });

  test("says the hash of its body, whatever the request said before", async () => {
    const headers = {
      authorization: "Bearer of-the-client",
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      "x-amz-date": "20150830T123600Z",
      "x-amz-security-token": "of-the-client",
    };
    const request = await send(signerOf(keys), { headers });
    expect(verifySigV4(request, expected)).toBe(true);
    expect(request.headers.get("x-amz-content-sha256")).toBe(
      "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    );
    expect(JSON.stringify([...request.headers])).not.toContain("of-the-client");
  });

  test("is dated by the clock it is given", async () => {
    const { headers } = await send(
      signerOf(keys, { now: () => Date.UTC(2026, 1, 3, 4, 5, 6, 789) }),
    );
    expect(headers.get("x-amz-date")).toBe("20260203T040506Z");
  });

  test("leaves the headers it was made of as they are", async () => {
    const headers = new Headers({ "content-type": "application/json" });
    const request = { method: "POST", url: aws.url, headers, body: text("{}") } as const;
    await signerOf(keys)(request, ada);
    await signerOf({ aws_bearer_token: "bedrock-api-key" })(request, ada);
    await createSecretSigner("x-api-key", "workspace-key")(request, ada);
    expect([...headers]).toEqual([["content-type", "application/json"]]);
  });
});

describe("an Amazon Bedrock API key", () => {
  test("goes as a bearer, in place of the client's, without a signature and before any keys", async () => {
    const sign = signerOf({ ...keys, aws_bearer_token: "bedrock-api-key" });
    const headers = { authorization: "Bearer of-the-client", "x-amz-security-token": "t" };
    const request = await send(sign, { headers });
    expect(request.headers.get("authorization")).toBe("Bearer bedrock-api-key");
    expect([...request.headers.keys()].filter((name) => name.startsWith("x-amz-"))).toEqual([]);
  });

  test("is not taken from the environment", async () => {
    process.env["AWS_BEARER_TOKEN_BEDROCK"] = "bedrock-api-key";
    expect(await rejection(send(signerOf({})))).toBeInstanceOf(CredentialError);
    expect(arrived).toEqual([]);
  });
});

describe("with a role", () => {
  const assumeRole = { role_arn: roleArn, session_name: "email" as const };
  beforeEach(() => {
    process.env["AWS_ENDPOINT_URL_STS"] = sts.url;
    sts.instead = undefined;
  });

  test("a request is signed by the developer's session", async () => {
    const request = await send(signerOf(keys, { assumeRole }));
    const id = accessKeyIdOf(request.headers) ?? "";
    expect(id).toStartWith("ASIA");
    const secret = id.replace("ASIA", "secret-");
    expect(verifySigV4(request, { ...expected, secretAccessKey: secret })).toBe(true);
    expect(request.headers.get("x-amz-security-token")).toBe(id.replace("ASIA", "token/") + "==");
    expect(sts.asked.map((form) => form["RoleSessionName"])).toEqual(["ada@example.com"]);
  });

  test("nothing is sent when there is no session, and nothing with other credentials", async () => {
    sts.instead = () => sts.error(403, "AccessDenied", "no");
    const sign = signerOf({ ...keys, aws_bearer_token: "bedrock-api-key" }, { assumeRole });
    expect(await rejection(send(sign))).toBeInstanceOf(CredentialError);
    const nameless = signerOf(keys, { assumeRole });
    const request = {
      method: "POST",
      url: aws.url,
      headers: new Headers(),
      body: text("{}"),
    } as const;
    const failure = rejection(nameless(request, { ...ada, email: undefined }));
    expect(await failure).toBeInstanceOf(PrincipalUnfitError);
    expect(arrived).toEqual([]);
  });

  test("a session that AWS refuses signs no other request", async () => {
    const sign = signerOf(keys, { assumeRole });
    answer = () => new Response("", { status: 401 });
    const first = await send(sign);
    const second = await send(sign);
    expect(accessKeyIdOf(second.headers)).not.toBe(accessKeyIdOf(first.headers));
    expect(sts.asked).toHaveLength(2);
  });
});
