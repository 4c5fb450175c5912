// Anthropic's platform on Google Cloud, as the API sees it: paths, headers, bodies, and whose token comes along.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { createAnthropicGoogleCloud } from "../../src/upstream/google/anthropic-google-cloud.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { startGoogle, writeFederation } from "../support/google.ts";
import { rejection } from "../support/idp.ts";
import { sendWith, startInternet } from "../support/internet.ts";

const directory = mkdtempSync(join(tmpdir(), "google-cloud-"));
const google = startGoogle();
const keyFile = writeFederation(directory, google);
const api = startCloudApi();
const signal = new AbortController().signal;

beforeEach(() => {
  google.asked.length = 0;
  api.seen.length = 0;
  api.answer = () => Response.json({ type: "message" });
});
afterAll(async () => {
  await Promise.all([google.stop(), api.stop()]);
  rmSync(directory, { recursive: true });
});

type Settings = UpstreamOf<"anthropicGoogleCloud">;
const settings: Settings = {
  provider: "anthropicGoogleCloud",
  name: "platform",
  project_id: "example-prod",
  workspace_id: "wrkspc_1",
  location: "global",
  base_url: `${api.url}/sub`,
  auth: { access_token: "ya29.fixed" },
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};
const platform = (auth: Settings["auth"] = settings.auth) =>
  createAnthropicGoogleCloud(
    { ...settings, auth },
    { userAgent: "gateway/1", now: Date.now, fetch: fetchHere },
  );
const call = {
  model: "claude-opus-5",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};
const sent = async (outbound: ReturnType<typeof outboundCall>, dialect = platform()) => {
  await dialect.exchange(outbound, nothingOmitted, signal);
  return api.seen.at(-1);
};

test("a call goes on as it is below base_url, without the query, with the configured token", async () => {
  const body = JSON.stringify({ ...call, stream: true, tags: { a: "b" } });
  const headers = { "anthropic-beta": "a,request-tags-2026-08-21" };
  const seen = await sent(outboundCall(body, { search: "?beta=true", headers }));
  expect(seen?.path).toBe("POST /sub/v1/messages");
  expect(seen?.body).toBe(body);
  expect(seen?.headers.get("authorization")).toBe("Bearer ya29.fixed");
  expect(seen?.headers.get("anthropic-beta")).toBe("a,request-tags-2026-08-21");
  expect(seen?.headers.get("user-agent")).toBe("gateway/1");
  expect(seen?.headers.get("x-team")).toBe("a");
});

test("counting has the Messages API's path", async () => {
  const seen = await sent(outboundCall(call, { path: "/v1/messages/count_tokens" }));
  expect(seen?.path).toBe("POST /sub/v1/messages/count_tokens");
});

test("the model has its dated id, and the user profile goes as a header", async () => {
  const seen = await sent(
    outboundCall(
      { ...call, user_profile_id: "prof_1" },
      { upstreamModel: "claude-sonnet-4-5-20250929" },
    ),
  );
  expect(JSON.parse(seen?.body ?? "")).toEqual({ ...call, model: "claude-sonnet-4-5-20250929" });
  expect(seen?.headers.get("anthropic-user-profile-id")).toBe("prof_1");
});

test("without base_url the path names project, location and workspace, on one host", async () => {
  const urls: string[] = [];
  const internet = await startInternet(({ url }) => {
    urls.push(url);
    return Response.json({});
  });
  const { base_url: _, ...config } = settings;
  await sendWith(internet.env, [config, { ...config, location: "us-east5" }]);
  await internet.stop();
  const below = "https://claude.googleapis.com/v1/projects/example-prod/locations";
  expect(urls).toEqual([
    `${below}/global/workspaces/wrkspc_1/invoke/v1/messages`,
    `${below}/us-east5/workspaces/wrkspc_1/invoke/v1/messages`,
  ]);
});

test("a token of Google's is asked for once by fifty calls, and again after a 401", async () => {
  const dialect = platform({ service_account_json: keyFile });
  api.answer = () => new Response("", { status: 401 });
  await Promise.all(Array.from({ length: 50 }, () => sent(outboundCall(call), dialect)));
  expect(google.asked).toEqual(["/v1/token"]);
  const first = api.seen[0]?.headers.get("authorization");
  expect(first).toMatch(/^Bearer ya29\.\d+$/);
  const again = await sent(outboundCall(call), dialect);
  expect(again?.headers.get("authorization")).not.toBe(first ?? "");
});

test("a configured token is preferred to a key file", async () => {
  const seen = await sent(
    outboundCall(call),
    platform({ access_token: "ya29.fixed", service_account_json: keyFile }),
  );
  expect(seen?.headers.get("authorization")).toBe("Bearer ya29.fixed");
  expect(google.asked).toEqual([]);
});

test("a key file that is missing stops no start, and fails the call with the cause", async () => {
  const dialect = platform({ service_account_json: "/nope.json" });
  const failed = await rejection(dialect.exchange(outboundCall(call), nothingOmitted, signal));
  expect(failed.message).toBe(
    "no credential for upstream 'platform': ENOENT: no such file or directory, open '/nope.json'",
  );
  expect(api.seen).toEqual([]);
});
