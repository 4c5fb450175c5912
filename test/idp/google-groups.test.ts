// Google's directory: how the list is read, and what each refusal means. The access token for it is in
// google-delegation.test.ts.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Directory } from "../../src/idp/directory.ts";
import { openGoogleGroups } from "../../src/idp/google-groups.ts";
import { egressTo, googleError, startGoogleDirectory } from "../support/directories.ts";
import {
  serviceAccount,
  serviceAccountClientId,
  writeServiceAccountKey,
} from "../support/google.ts";
import { idpErrorOf } from "../support/hostile-idp.ts";

const scope = "https://www.googleapis.com/auth/admin.directory.group.readonly";
const admin_email = "admin@example.com";
const tokenUri = "https://oauth2.googleapis.com/token";

const google = startGoogleDirectory();
const egress = egressTo({
  "https://oauth2.googleapis.com": google.url,
  "https://admin.googleapis.com": google.url,
});
const directory = mkdtempSync(join(tmpdir(), "google-groups-"));
const keyFile = writeServiceAccountKey(directory, tokenUri);
afterEach(() => google.straighten());
afterAll(async () => {
  await google.stop();
  rmSync(directory, { recursive: true });
});

const open = (path = keyFile, now = Date.now) =>
  openGoogleGroups({ service_account_json_path: path, admin_email }, { egress, now });
const accessToken = "the person's own, which Google's directory never sees";
const groupsOf = (groups: Directory, email: string | undefined) =>
  groups.groupsOf({ email, accessToken });
const failure = async (email: string | undefined = "ada@example.com") =>
  idpErrorOf(groupsOf(await open(), email));
const addresses = (count: number) =>
  Array.from({ length: count }, (_, index) => `group-${index}@example.com`);

describe("the list", () => {
  test("is asked for by e-mail address, as the administrator for whom the service account acts", async () => {
    google.groups["a+b@example.com"] = ["eng@example.com", "all@example.com"];
    const nowMs = 1_700_000_000_999;
    const groups = await open(keyFile, () => nowMs);
    expect(await groupsOf(groups, "a+b@example.com")).toEqual([
      "eng@example.com",
      "all@example.com",
    ]);
    expect(google.assertions).toEqual([
      {
        header: { alg: "RS256", typ: "JWT", kid: "key1" },
        payload: {
          iss: serviceAccount,
          sub: admin_email,
          scope,
          aud: tokenUri,
          iat: 1_700_000_000,
          exp: 1_700_003_600,
        },
      },
    ]);
    const [question] = google.questions;
    expect(question?.authorization).toMatch(/^Bearer ya29\.\d+$/);
    expect(question?.url.search).toBe("?userKey=a%2Bb%40example.com&maxResults=200");
  });

  test("is in lower case, in Google's order", async () => {
    google.groups["ada@example.com"] = ["ZOO@example.com", "Eng@Example.COM"];
    expect(await groupsOf(await open(), "ada@example.com")).toEqual([
      "zoo@example.com",
      "eng@example.com",
    ]);
  });

  test("is read to its last page", async () => {
    google.groups["ada@example.com"] = addresses(401);
    expect(await groupsOf(await open(), "ada@example.com")).toEqual(addresses(401));
    expect(google.questions).toHaveLength(3);
  });

  test("of somebody without groups is empty", async () => {
    google.groups["ada@example.com"] = [];
    expect(await groupsOf(await open(), "ada@example.com")).toEqual([]);
  });

  test("that is longer than admission allows is not read any further, and not cut to what it allows", async () => {
    google.groups["ada@example.com"] = addresses(20_000);
    const listed = await groupsOf(await open(), "ada@example.com");
    expect(listed.length).toBeGreaterThan(10_000);
    expect(google.questions.length).toBeLessThan(60);
  });

  test("that never ends is given up", async () => {
    google.answer = () => Response.json({ groups: [], nextPageToken: "again" });
    expect(await failure()).toMatchObject({ step: "directory", kind: "unavailable" });
    expect(google.questions).toHaveLength(200);
  });

  test("that fails on a later page is no list", async () => {
    google.answer = ({ url }) =>
      url.searchParams.has("pageToken")
        ? googleError(503, "backendError", "later")
        : Response.json({ groups: [{ email: "eng@example.com" }], nextPageToken: "2" });
    expect(await failure()).toMatchObject({ kind: "unavailable" });
  });

  test.each([
    { groups: { email: "eng@example.com", id: 1 }, nextPageToken: 2 },
    { groups: [{ email: "eng@example.com" }, { id: "no address" }] },
    { groups: [null] },
    { groups: "eng@example.com" },
    { groups: null },
  ])("that cannot be read is no list: %j", async (body) => {
    google.answer = () => Response.json(body);
    expect(await failure()).toMatchObject({ step: "directory", kind: "unavailable" });
  });
});

describe("nobody is asked", () => {
  test.each([undefined, "", "104729001", "a@evil.com,b@example.com", "a b@example.com"])(
    "for %p, which is not one e-mail address",
    async (email) => {
      expect(await idpErrorOf(groupsOf(await open(), email))).toMatchObject({
        step: "directory",
        kind: "refused",
        message: expect.stringContaining("oidc.email_claim"),
      });
      expect(google.assertions).toEqual([]);
      expect(google.questions).toEqual([]);
    },
  );
});

const advice = `is domain-wide delegation set up for client id ${serviceAccountClientId} with scope ${scope}, and is ${admin_email} an administrator?`;
const silence = () => Bun.sleep(2_000).then(() => new Response());

describe("an answer of the directory", () => {
  const answers: [string, () => Response | Promise<Response>, string, string][] = [
    [
      "404 for a person it does not know",
      () => googleError(404, "notFound", "Resource Not Found: userKey"),
      "refused",
      "google_groups lookup failed: directory API 404: notFound (Resource Not Found: userKey)",
    ],
    ["404 of some other server", () => new Response("", { status: 404 }), "unavailable", "404"],
    [
      "403 because we are not let in",
      () => googleError(403, "forbidden", "Not Authorized to access this resource/api"),
      "failed",
      `google_groups lookup failed: directory API 403: forbidden (Not Authorized to access this resource/api): ${advice}`,
    ],
    [
      "403 because we asked too often",
      () => googleError(403, "userRateLimitExceeded", "Slow"),
      "unavailable",
      "directory API 403: userRateLimitExceeded (Slow)",
    ],
    [
      "401",
      () => googleError(401, "authError", "Invalid Credentials"),
      "failed",
      `directory API 401: authError (Invalid Credentials): ${advice}`,
    ],
    ["429", () => googleError(429, "rateLimitExceeded", "Slow"), "unavailable", "(Slow)"],
    ["500", () => googleError(500, "backendError", "Oops"), "unavailable", "(Oops)"],
    [
      "502 in HTML",
      () => new Response("<html>", { status: 502 }),
      "unavailable",
      "directory API 502",
    ],
    [
      "200 in HTML",
      () => new Response("<html>"),
      "unavailable",
      "API 200: its answer is not a JSON object",
    ],
    ["a redirect", () => Response.redirect("https://evil.example/"), "unavailable", "302"],
    ["an endless page", () => new Response("x".repeat(2_000_000)), "unavailable", "1000000 bytes"],
    ["silence", silence, "unavailable", "ETIMEDOUT: no complete answer within 500 ms"],
  ];
  test.each(answers)("%s", async (_, answer, kind, said) => {
    google.answer = answer;
    const error = await failure();
    expect(error).toMatchObject({ step: "directory", kind });
    expect(error.message).toEndWith(said);
    expect(error.message).not.toContain("ya29.");
    expect(error.message).not.toContain("ada@");
  });
});
