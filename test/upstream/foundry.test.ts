// Claude in Microsoft Foundry, as the API sees it: paths, headers, bodies, and by which key or token it is asked.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { createFoundry } from "../../src/upstream/azure/foundry.ts";
import { fetchHere } from "../support/egress.ts";
import { startAzure } from "../support/azure.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";
import { sendWith, startInternet } from "../support/internet.ts";

const api = startCloudApi();
const signal = new AbortController().signal;
beforeEach(() => {
  api.seen.length = 0;
  api.answer = () => Response.json({ type: "message" });
});
afterAll(() => api.stop());

const call = {
  model: "claude-opus-5",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};

const settings: UpstreamOf<"foundry"> = {
  provider: "foundry",
  name: "foundry",
  resource: "example",
  base_url: `${api.url}/anthropic`,
  auth: { api_key: "foundry-key" },
  headers: { "x-team": "a" },
  compatibility: { learn: false },
};
const foundry = (auth: UpstreamOf<"foundry">["auth"] = settings.auth, now = Date.now) =>
  createFoundry({ ...settings, auth }, { userAgent: "gateway/1", now, fetch: fetchHere });
const sent = async (outbound: ReturnType<typeof outboundCall>, omit = nothingOmitted) => {
  await foundry().exchange(outbound, omit, signal);
  return api.seen.at(-1);
};

test("a call goes on as it is, without the query, with the API key", async () => {
  const body = JSON.stringify({
    ...call,
    stream: true,
    tags: { a: "b" },
    anthropic_version: "own",
  });
  const seen = await sent(
    outboundCall(body, { search: "?beta=true", headers: { "x-api-key": "of the client" } }),
  );
  expect(seen?.path).toBe("POST /anthropic/v1/messages");
  expect(seen?.body).toBe(body);
  expect(seen?.headers.get("x-api-key")).toBe("foundry-key");
  expect(seen?.headers.has("authorization")).toBe(false);
  expect(seen?.headers.get("user-agent")).toBe("gateway/1");
  expect(seen?.headers.get("x-team")).toBe("a");
});

test("counting has the Messages API's path", async () => {
  const seen = await sent(outboundCall(call, { path: "/v1/messages/count_tokens" }));
  expect(seen?.path).toBe("POST /anthropic/v1/messages/count_tokens");
});

test("the model is the one that the deployment is known by", async () => {
  const seen = await sent(outboundCall(call, { upstreamModel: "my-deployment" }));
  expect(JSON.parse(seen?.body ?? "")).toEqual({ ...call, model: "my-deployment" });
});

test("betas go on, the one for tags too, but for those omitted", async () => {
  const headers = { "anthropic-beta": "a,request-tags-2026-08-21,b" };
  const seen = await sent(outboundCall(call, { headers }), {
    betas: new Set(["b"]),
    fields: new Set(),
  });
  expect(seen?.headers.get("anthropic-beta")).toBe("a,request-tags-2026-08-21");
});

test("without base_url the resource has a host of its own", async () => {
  const urls: string[] = [];
  const internet = await startInternet(({ url }) => {
    urls.push(url);
    return Response.json({});
  });
  const { base_url: _, ...config } = settings;
  await sendWith(internet.env, [config]);
  await internet.stop();
  expect(urls).toEqual(["https://example.services.ai.azure.com/anthropic/v1/messages"]);
});

// The library remembers for good where a process has its managed identity from: these are the only tests of one in this process.
describe("with Microsoft Entra", () => {
  const azure = startAzure();
  const saved = { ...process.env };
  beforeEach(() => {
    Object.assign(process.env, azure.env);
    azure.asked.length = 0;
    azure.refusal = undefined;
    // The library keeps those of a managed identity that live longer.
    azure.lifeSeconds = 200;
  });
  afterAll(async () => {
    for (const name of Object.keys(azure.env)) {
      if (saved[name] === undefined) delete process.env[name];
      else process.env[name] = saved[name];
    }
    await azure.stop();
  });
  const ask = (dialect: ReturnType<typeof foundry>) =>
    dialect.exchange(outboundCall(call), nothingOmitted, signal);

  test("a call carries an access token, and no API key", async () => {
    await ask(foundry({ use_azure_ad: true }));
    expect(api.seen[0]?.headers.get("authorization")).toMatch(/^Bearer identity-\d+$/);
    expect(api.seen[0]?.headers.has("x-api-key")).toBe(false);
  });

  test("fifty calls at once ask for one token", async () => {
    const dialect = foundry({ use_azure_ad: true });
    await Promise.all(Array.from({ length: 50 }, () => ask(dialect)));
    expect(api.seen).toHaveLength(50);
    expect(azure.asked).toHaveLength(1);
  });

  test("the token is replaced after a 401, which itself is passed back", async () => {
    const dialect = foundry({ use_azure_ad: true });
    api.answer = () => new Response("", { status: 401 });
    expect((await ask(dialect)).status).toBe(401);
    await ask(dialect);
    const [first, second] = api.seen.map(({ headers }) => headers.get("authorization"));
    expect(second).not.toBe(first ?? "");
  });

  test("a token at its end is replaced", async () => {
    let now = Date.now();
    const dialect = foundry({ use_azure_ad: true }, () => now);
    await ask(dialect);
    now += 140_000;
    await ask(dialect);
    now += 60_000;
    await ask(dialect);
    const [first, second, third] = api.seen.map(({ headers }) => headers.get("authorization"));
    expect(second).toBe(first ?? "");
    expect(third).not.toBe(first ?? "");
  });

  test("no token fails the call with the cause, and nothing is sent", async () => {
    // Only the managed identity: what follows it in the chain are tools of whoever runs the tests.
    process.env["AZURE_TOKEN_CREDENTIALS"] = "ManagedIdentityCredential";
    azure.refusal = { error: "identity_not_found", error_description: "" };
    const failed = await rejection(ask(foundry({ use_azure_ad: true })));
    delete process.env["AZURE_TOKEN_CREDENTIALS"];
    expect(failed).toBeInstanceOf(CredentialError);
    expect(failed.message).toContain("identity_not_found");
    expect(api.seen).toEqual([]);
  });
});
