// Exchanging a workload's identity token for an access token: what is asked, what is believed, and what an error may say.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../src/log.ts";
import { createFederatedCredential } from "../../src/upstream/anthropic/federation.ts";
import { fetchHere } from "../support/egress.ts";
import { type CloudApi, startCloudApi } from "../support/cloud-api.ts";

const identityToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJndyJ9.c2lnbmF0dXJl";

let api: CloudApi;
let directory: string;
let file: string;
let nowMs: number;

beforeEach(() => {
  api = startCloudApi();
  api.answer = () =>
    Response.json({ access_token: "at-1", token_type: "Bearer", expires_in: 3600 });
  directory = mkdtempSync(join(tmpdir(), "federation-"));
  file = join(directory, "identity-token");
  writeFileSync(file, `${identityToken}\n`);
  nowMs = 1_800_000_000_000;
});
afterEach(async () => {
  await api.stop();
  rmSync(directory, { recursive: true });
});

function credential(changes: Record<string, string> = {}) {
  return createFederatedCredential(
    {
      federation_rule_id: "fdrl_1",
      organization_id: "org_1",
      identity_token_file: file,
      ...changes,
    },
    {
      baseUrl: `${api.url}/sub`,
      userAgent: "gw/1",
      owner: "upstream 'a'",
      now: () => nowMs,
      fetch: fetchHere,
    },
  );
}

/** What is said when there is no access token. */
async function failure(changes: Record<string, string> = {}): Promise<string> {
  return credential(changes)
    .get()
    .then(() => "there was one", messageOf);
}

describe("the exchange", () => {
  test("asks the API's own token endpoint with the identity token, the rule and the organisation", async () => {
    expect(await credential().get()).toBe("at-1");
    const [asked] = api.seen;
    expect(asked?.path).toBe("POST /sub/v1/oauth/token");
    expect(JSON.parse(asked?.body ?? "")).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: identityToken,
      federation_rule_id: "fdrl_1",
      organization_id: "org_1",
    });
    expect(asked?.headers.get("content-type")).toBe("application/json");
    expect(asked?.headers.get("user-agent")).toBe("gw/1");
    expect(asked?.headers.get("anthropic-beta")).toBe(
      "oauth-2025-04-20,oidc-federation-2026-04-01",
    );
    expect(asked?.headers.has("authorization")).toBe(false);
  });

  test("names the service account and the workspace where they are configured", async () => {
    await credential({ service_account_id: "svac_1", workspace_id: "wrkspc_1" }).get();
    expect(JSON.parse(api.seen[0]?.body ?? "")).toMatchObject({
      service_account_id: "svac_1",
      workspace_id: "wrkspc_1",
    });
  });

  test("reads the file anew each time, because the platform replaces it", async () => {
    const tokens = credential();
    const first = await tokens.get();
    writeFileSync(file, "\n rotated \n");
    tokens.refused(first);
    await tokens.get();
    expect(api.seen.map(({ body }) => JSON.parse(body).assertion)).toEqual([
      identityToken,
      "rotated",
    ]);
  });

  test("is made once for all who wait", async () => {
    const tokens = credential();
    await Promise.all([tokens.get(), tokens.get(), tokens.get()]);
    expect(api.seen).toHaveLength(1);
  });

  test.each([3600, "3600"])(
    "is made anew when the %j seconds of the answer are over",
    async (life) => {
      api.answer = () => Response.json({ access_token: "at", expires_in: life });
      const tokens = credential();
      await tokens.get();
      nowMs += 3_000_000;
      await tokens.get();
      expect(api.seen).toHaveLength(1);
      nowMs += 600_000;
      await tokens.get();
      expect(api.seen).toHaveLength(2);
    },
  );
});

describe("without a usable identity token nothing is asked", () => {
  afterEach(() => expect(api.seen).toHaveLength(0));

  test("no file", async () => {
    expect(await failure({ identity_token_file: "/nowhere/token" })).toBe(
      "no credential for upstream 'a': the identity_token_file /nowhere/token cannot be read: " +
        "ENOENT: no such file or directory, open '/nowhere/token'",
    );
  });

  test.each(["", " \n\t\n"])("a file that holds %j", async (text) => {
    writeFileSync(file, text);
    expect(await failure()).toBe(
      `no credential for upstream 'a': the identity_token_file ${file} is empty`,
    );
  });

  test("a file that is longer than any identity token", async () => {
    writeFileSync(file, "x".repeat(64 * 1024 + 1));
    expect(await failure()).toEndWith("is longer than 65536 bytes: it is no identity token");
  });

  test("a file without an end", async () => {
    expect(await failure({ identity_token_file: "/dev/zero" })).toEndWith(
      "is longer than 65536 bytes: it is no identity token",
    );
  });

  test("a directory", async () => {
    expect(await failure({ identity_token_file: directory })).toContain(
      `the identity_token_file ${directory} cannot be read: `,
    );
  });
});

test("an identity token of 64 KiB is taken", async () => {
  writeFileSync(file, "x".repeat(64 * 1024));
  expect(await credential().get()).toBe("at-1");
});

describe("a refusal", () => {
  test("is told by its status and its OAuth error code", async () => {
    api.answer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    expect(await failure()).toBe(
      "no credential for upstream 'a': the token exchange answered 400 invalid_grant: " +
        "does the federation rule match the identity token?",
    );
  });

  test("is told by the type in an Anthropic envelope", async () => {
    api.answer = () =>
      Response.json(
        { type: "error", error: { type: "permission_error", message: "no" } },
        { status: 403 },
      );
    expect(await failure()).toContain("answered 403 permission_error:");
  });

  test.each([
    ["its description", { error: "invalid_grant", error_description: identityToken }],
    ["its code", { error: identityToken }],
    ["its type", { error: { type: identityToken, message: identityToken } }],
  ])("that quotes the identity token as %s does not bring it into the log", async (_, body) => {
    api.answer = () => Response.json(body, { status: 401 });
    const said = await failure();
    expect(said).toContain("the token exchange answered 401");
    expect(said).not.toContain(identityToken.slice(0, 10));
  });

  test("that is no JSON is told by its status", async () => {
    api.answer = () => new Response("<h1>oops", { status: 502 });
    expect(await failure()).toContain("the token exchange answered 502: ");
  });

  test("is not kept: a later request asks again", async () => {
    api.answer = () => Response.json({}, { status: 500 });
    const tokens = credential();
    expect(await tokens.get().catch(messageOf)).toContain("answered 500");
    api.answer = () => Response.json({ access_token: "at-2", expires_in: 3600 });
    nowMs += 60_000;
    expect(await tokens.get()).toBe("at-2");
  });
});

test("a redirect is not followed: the identity token goes nowhere else", async () => {
  const elsewhere = startCloudApi();
  api.answer = () => Response.redirect(`${elsewhere.url}/v1/oauth/token`, 307);
  expect(await failure()).toContain("answered 307, a redirect, which is not followed");
  expect(elsewhere.seen).toHaveLength(0);
  await elsewhere.stop();
});

describe("an answer is no access token", () => {
  test.each([
    ["not JSON", "at-1", "is not a JSON object"],
    ["no object", '"at-1"', "is not a JSON object"],
    ["without one", '{"expires_in":3600}', "has no usable access_token"],
    ["with an empty one", '{"access_token":"","expires_in":3600}', "has no usable access_token"],
    ["with a number", '{"access_token":5,"expires_in":3600}', "has no usable access_token"],
    [
      "with two headers",
      '{"access_token":"a\\r\\nx-b: c","expires_in":1}',
      "no usable access_token",
    ],
    ["without an end", '{"access_token":"secret-at"}', "has no usable expires_in"],
    ["that has ended", '{"access_token":"secret-at","expires_in":0}', "has no usable expires_in"],
    ["with a worded end", '{"access_token":"secret-at","expires_in":"1h"}', "no usable expires_in"],
  ])("%s", async (_, body, said) => {
    api.answer = () => new Response(body);
    expect(await failure()).toContain(said);
    expect(await failure()).not.toContain("secret-at");
  });

  test("when it is longer than 64 KiB", async () => {
    api.answer = () =>
      Response.json({ access_token: "at", expires_in: 3600, more: "x".repeat(64 * 1024) });
    expect(await failure()).toContain("answer is longer than 65536 bytes");
  });
});
