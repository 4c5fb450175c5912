// The access token for Google's directory: from which key file, how long it serves, and what it means to have none.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Directory } from "../../src/idp/directory.ts";
import { openGoogleGroups } from "../../src/idp/google-groups.ts";
import { egressTo, googleError, startGoogleDirectory } from "../support/directories.ts";
import { serviceAccountClientId, writeServiceAccountKey } from "../support/google.ts";
import { idpErrorOf } from "../support/hostile-idp.ts";
import { rejection } from "../support/idp.ts";

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

const advice = `is domain-wide delegation set up for client id ${serviceAccountClientId} with scope ${scope}, and is ${admin_email} an administrator?`;
const silence = () => Bun.sleep(2_000).then(() => new Response());

describe("the access token", () => {
  test("serves until its last minute", async () => {
    google.groups["ada@example.com"] = [];
    let nowMs = 1_700_000_000_000;
    const groups = await open(keyFile, () => nowMs);
    const exchanges = async (elapsedMs: number) => {
      nowMs += elapsedMs;
      await groupsOf(groups, "ada@example.com");
      return google.assertions.length;
    };
    expect(await exchanges(0)).toBe(1);
    expect(await exchanges(3_539_999)).toBe(1);
    expect(await exchanges(1)).toBe(2);
  });

  test("is exchanged for once, however many people sign in at the same time", async () => {
    google.groups["ada@example.com"] = ["eng@example.com"];
    const groups = await open();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => groupsOf(groups, "ada@example.com")),
    );
    expect(all).toEqual(Array.from({ length: 20 }, () => ["eng@example.com"]));
    expect(google.assertions).toHaveLength(1);
  });

  test("that comes without an end serves once", async () => {
    google.groups["ada@example.com"] = [];
    google.lifeSeconds = undefined;
    const groups = await open();
    await groupsOf(groups, "ada@example.com");
    await groupsOf(groups, "ada@example.com");
    expect(google.assertions).toHaveLength(2);
  });

  test("that Google withdrew is replaced for the next look-up, and one that is only not enough is kept", async () => {
    google.groups["ada@example.com"] = [];
    const groups = await open();
    await groupsOf(groups, "ada@example.com");
    google.answer = () => googleError(403, "forbidden", "Not Authorized");
    await rejection(groupsOf(groups, "ada@example.com"));
    google.answer = () => googleError(401, "authError", "Invalid Credentials");
    await rejection(groupsOf(groups, "ada@example.com"));
    expect(google.assertions).toHaveLength(1);
    google.answer = undefined;
    expect(await groupsOf(groups, "ada@example.com")).toEqual([]);
    expect(google.assertions).toHaveLength(2);
  });

  test("that could not be had is asked for again by the next one", async () => {
    google.groups["ada@example.com"] = ["eng@example.com"];
    const groups = await open();
    google.tokenAnswer = () => new Response("down", { status: 503 });
    await rejection(groupsOf(groups, "ada@example.com"));
    google.tokenAnswer = undefined;
    expect(await groupsOf(groups, "ada@example.com")).toEqual(["eng@example.com"]);
  });
});

describe("without an access token there is no list, and nobody is signed out,", () => {
  const refused = (status: number, error: string) => () =>
    Response.json({ error, error_description: "words" }, { status });
  const answers: [string, () => Response | Promise<Response>, string, string][] = [
    [
      "401",
      refused(401, "unauthorized_client"),
      "failed",
      `google_groups lookup failed: google token endpoint 401: unauthorized_client (words): ${advice}`,
    ],
    [
      "400",
      refused(400, "invalid_grant"),
      "failed",
      `google token endpoint 400: invalid_grant (words): ${advice}`,
    ],
    [
      "429",
      refused(429, "slow_down"),
      "unavailable",
      "google token endpoint 429: slow_down (words)",
    ],
    ["503", refused(503, "backend"), "unavailable", "google token endpoint 503: backend (words)"],
    [
      "200 without one",
      () => Response.json({}),
      "unavailable",
      "google token endpoint returned no access_token",
    ],
    [
      "HTML",
      () => new Response("<html>"),
      "unavailable",
      "google token endpoint returned no access_token",
    ],
    [
      "a redirect",
      () => Response.redirect("https://evil.example/", 307),
      "unavailable",
      "answered 307",
    ],
    ["silence", silence, "unavailable", "ETIMEDOUT: no complete answer within 500 ms"],
  ];
  test.each(answers)("when Google answers with %s", async (_, answer, kind, said) => {
    google.tokenAnswer = answer;
    const error = await failure();
    expect(error).toMatchObject({ step: "directory", kind });
    expect(error.message).toEndWith(said);
    expect(google.questions).toEqual([]);
  });
});

describe("the key file", () => {
  const setting = "oidc.google_groups.service_account_json_path: ";
  const path = join(directory, "wrong.json");
  let right: Record<string, unknown>;
  beforeAll(async () => {
    right = (await Bun.file(keyFile).json()) as Record<string, unknown>;
  });
  const refusal = async (content: string) => {
    writeFileSync(path, content);
    return (await rejection(open(path))).message;
  };

  test("that is not there stops the boot, and the error names the setting", async () => {
    const { message } = await rejection(open("/nowhere/key.json"));
    expect(message).toStartWith(`${setting}ENOENT`);
    expect(message).toContain("/nowhere/key.json");
  });

  test("that holds something else is not quoted", async () => {
    for (const content of ["s3cret", '"s3cret"', "[]", "", '{"s3cret'])
      expect(await refusal(content)).toBe(`${setting}${path} holds no JSON object`);
  });

  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const notOne = "is not a Google service-account key";
  test.each([
    [{ type: "external_account" }, `${notOne} (another type)`],
    [{ client_email: "" }, `${notOne} (missing client_email or private_key)`],
    [{ private_key: undefined }, `${notOne} (missing client_email or private_key)`],
    [{ private_key: "s3cret" }, "is not an RSA key in PKCS #8"],
    [{ private_key: ec.export({ type: "pkcs8", format: "pem" }) }, "is not an RSA key in PKCS #8"],
  ])("with %j is refused", async (change, said) => {
    const message = await refusal(JSON.stringify({ ...right, ...change }));
    expect(message).toStartWith(setting);
    expect(message).toContain(said);
    expect(message).not.toContain("s3cret");
  });

  test("needs no more than an address and a key, and does not say where assertions go", async () => {
    google.groups["ada@example.com"] = [];
    const { client_email, private_key } = right;
    const token_uri = "https://evil.example/token";
    writeFileSync(path, JSON.stringify({ client_email, private_key, token_uri }));
    await groupsOf(await open(path), "ada@example.com");
    expect(google.assertions[0]).toMatchObject({
      header: { alg: "RS256", typ: "JWT" },
      payload: { aud: tokenUri },
    });
  });
});
