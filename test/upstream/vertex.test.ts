// Claude on Google Cloud, as the API sees it: paths, headers, bodies, and whose token comes along.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { createVertex } from "../../src/upstream/google/vertex.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { startGoogle, writeFederation } from "../support/google.ts";
import { rejection } from "../support/idp.ts";
import { sendWith, startInternet } from "../support/internet.ts";

const directory = mkdtempSync(join(tmpdir(), "vertex-"));
const google = startGoogle();
const keyFile = writeFederation(directory, google);
const api = startCloudApi();
const signal = new AbortController().signal;

beforeEach(() => {
  google.asked.length = 0;
  google.refusal = undefined;
  api.seen.length = 0;
  api.answer = () => Response.json({ type: "message" });
});
afterAll(async () => {
  await Promise.all([google.stop(), api.stop()]);
  rmSync(directory, { recursive: true });
});

const call = {
  model: "claude-opus-5",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};
const models = "/v1/projects/example-prod/locations/us-east5/publishers/anthropic/models";

const settings: UpstreamOf<"vertex"> = {
  provider: "vertex",
  name: "vertex",
  project_id: "example-prod",
  region: "us-east5",
  base_url: `${api.url}/v1`,
  auth: { service_account_json: keyFile },
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};
const vertex = () =>
  createVertex(settings, { userAgent: "gateway/1", now: Date.now, fetch: fetchHere });

/** What the API is sent for this call. */
async function sent(
  outbound: ReturnType<typeof outboundCall>,
  { dialect = vertex(), omit = nothingOmitted } = {},
) {
  await dialect.exchange(outbound, omit, signal);
  const seen = api.seen.at(-1);
  if (seen === undefined) throw new Error("nothing was sent");
  return { ...seen, json: JSON.parse(seen.body) as unknown };
}

test("a call goes to its model's path, without the query, with a token of Google's", async () => {
  const { path, headers } = await sent(outboundCall(call, { search: "?beta=true" }));
  expect(path).toBe(`POST ${models}/claude-opus-5:rawPredict`);
  expect(headers.get("authorization")).toMatch(/^Bearer ya29\.\d+$/);
  expect(headers.get("user-agent")).toBe("gateway/1");
  expect(headers.get("x-team")).toBe("a");
});

test("the body has the API's version in place of the model and tags", async () => {
  const { json } = await sent(outboundCall({ ...call, tags: { a: "b" }, user_profile_id: "p" }));
  const { model: _, ...rest } = call;
  expect(json).toEqual({ ...rest, anthropic_version: "vertex-2023-10-16" });
});

test("a version of the client's own is kept", async () => {
  const { json } = await sent(outboundCall({ ...call, anthropic_version: "vertex-2030-01-01" }));
  expect(json).toMatchObject({ anthropic_version: "vertex-2030-01-01" });
});

test("a streamed call goes to the streaming method and says so in the body", async () => {
  const { path, json } = await sent(outboundCall({ ...call, stream: 1 }));
  expect(path).toBe(`POST ${models}/claude-opus-5:streamRawPredict`);
  expect(json).toMatchObject({ stream: true });
});

test("counting has a path of its own, and the model in the body", async () => {
  const { path, json } = await sent(
    outboundCall(
      { ...call, tags: {}, stream: true },
      { path: "/v1/messages/count_tokens", upstreamModel: "claude-opus-4-1@20250805" },
    ),
  );
  expect(path).toBe(`POST ${models}/count-tokens:rawPredict`);
  expect(json).toEqual({
    ...call,
    model: "claude-opus-4-1@20250805",
    stream: true,
    anthropic_version: "vertex-2023-10-16",
  });
});

test.each([
  ["claude-opus-4-1@20250805", "claude-opus-4-1@20250805"],
  ["a/../../../endpoints/b", "a%2F..%2F..%2F..%2Fendpoints%2Fb"],
  ["a?b#c:d e", "a%3Fb%23c%3Ad%20e"],
])("model %s is one segment of the path", async (upstreamModel, segment) => {
  const { path } = await sent(outboundCall(call, { upstreamModel }));
  expect(path).toBe(`POST ${models}/${segment}:rawPredict`);
});

test("betas go on without the one for tags and those omitted", async () => {
  const headers = { "anthropic-beta": "a,request-tags-2026-08-21, b" };
  const omit = { betas: new Set(["b"]), fields: new Set(["max_tokens"]) };
  const { headers: got, json } = await sent(outboundCall(call, { headers }), { omit });
  expect(got.get("anthropic-beta")).toBe("a");
  expect(json).not.toHaveProperty("max_tokens");
});

test("no betas, no header", async () => {
  const headers = { "anthropic-beta": "request-tags-2026-08-21" };
  const { headers: got } = await sent(outboundCall(call, { headers }));
  expect(got.has("anthropic-beta")).toBe(false);
});

describe("the token", () => {
  test("is asked for once by fifty calls at once", async () => {
    const dialect = vertex();
    await Promise.all(
      Array.from({ length: 50 }, () =>
        dialect.exchange(outboundCall(call), nothingOmitted, signal),
      ),
    );
    expect(api.seen).toHaveLength(50);
    expect(google.asked).toEqual(["/v1/token"]);
  });

  test("is replaced after a 401, which itself is passed back", async () => {
    const dialect = vertex();
    api.answer = () => new Response("", { status: 401 });
    expect((await dialect.exchange(outboundCall(call), nothingOmitted, signal)).status).toBe(401);
    const first = api.seen[0]?.headers.get("authorization");
    const { headers } = await sent(outboundCall(call), { dialect });
    expect(headers.get("authorization")).not.toBe(first ?? "");
    expect(google.asked).toHaveLength(2);
  });

  test("that cannot be had fails the call with the cause, and nothing is sent", async () => {
    google.refusal = {
      status: 400,
      body: { error: "invalid_grant", error_description: "expired" },
    };
    const failed = await rejection(vertex().exchange(outboundCall(call), nothingOmitted, signal));
    expect(failed).toBeInstanceOf(CredentialError);
    expect(failed.message).toEndWith("Error code invalid_grant: expired");
    expect(api.seen).toEqual([]);
  });

  test("does not go where a redirect points", async () => {
    api.answer = () => Response.redirect(`${api.url}/else`, 302);
    const answer = await vertex().exchange(outboundCall(call), nothingOmitted, signal);
    expect(answer.status).toBe(302);
    expect(api.seen).toHaveLength(1);
  });

  test("is the configured one where there is one, before a key file", async () => {
    const auth = { access_token: "ya29.fixed", service_account_json: keyFile };
    const dialect = createVertex(
      { ...settings, auth },
      { userAgent: "gateway/1", now: Date.now, fetch: fetchHere },
    );
    const { headers } = await sent(outboundCall(call), { dialect });
    expect(headers.get("authorization")).toBe("Bearer ya29.fixed");
    expect(google.asked).toEqual([]);
  });

  test("is not asked for before the first call", () => {
    vertex();
    expect(google.asked).toEqual([]);
  });
});

test("without base_url a region has the host that Google gives it", async () => {
  const regions = ["us-east5", "global", "us", "eu"];
  const urls: string[] = [];
  const internet = await startInternet(({ url }) => {
    urls.push(url);
    return Response.json({});
  });
  const { base_url: _, ...config } = settings;
  const statuses = await sendWith(
    { ...internet.env, NO_PROXY: "127.0.0.1" },
    regions.map((region) => ({ ...config, region })),
  );
  await internet.stop();
  expect(statuses).toEqual([200, 200, 200, 200]);
  const path = (region: string) =>
    `/v1/projects/example-prod/locations/${region}/publishers/anthropic/models/claude-opus-5:rawPredict`;
  expect(urls).toEqual([
    `https://us-east5-aiplatform.googleapis.com${path("us-east5")}`,
    `https://aiplatform.googleapis.com${path("global")}`,
    `https://aiplatform.us.rep.googleapis.com${path("us")}`,
    `https://aiplatform.eu.rep.googleapis.com${path("eu")}`,
  ]);
});
