// Access tokens for Google's APIs: from each kind of credential there is, asked for no more often than needed, and what is said
// when there is none. The endpoints are Google's in all but address; those with an address of their own are reached by a
// process in an internet of ours.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGoogleCredential } from "../../src/upstream/google/credentials.ts";
import {
  startGoogle,
  tokenHost,
  writeFederation,
  writeServiceAccountKey,
} from "../support/google.ts";
import { rejection } from "../support/idp.ts";
import { obtainWith, startInternet } from "../support/internet.ts";

const projectId = "example-prod";
const directory = mkdtempSync(join(tmpdir(), "google-"));
const google = startGoogle();
const keyFile = writeFederation(directory, google);

let now = Date.now();
const credentialOf = (path: string = keyFile) =>
  createGoogleCredential(
    { keyFile: path, projectId },
    { owner: "upstream 'vertex'", now: () => now },
  );

beforeEach(() => {
  now = Date.now();
  google.asked.length = 0;
  google.lifeSeconds = 3600;
  google.refusal = undefined;
});
afterAll(async () => {
  await google.stop();
  rmSync(directory, { recursive: true });
});

const bearer = { authorization: expect.stringMatching(/^Bearer ya29\.\d+$/) };

describe("a token", () => {
  test("is obtained once for fifty requests that want it at once", async () => {
    const credential = credentialOf();
    const proofs = await Promise.all(Array.from({ length: 50 }, () => credential.get()));
    expect(new Set(proofs.map(({ authorization }) => authorization)).size).toBe(1);
    expect(google.asked).toEqual(["/v1/token"]);
  });

  test("serves until its end draws near, and then there is another", async () => {
    const credential = credentialOf();
    const first = await credential.get();
    now += 54 * 60_000;
    expect(await credential.get()).toEqual(first);
    now += 6 * 60_000;
    const second = await credential.get();
    expect(second).toEqual(bearer);
    expect(second).not.toEqual(first);
  });

  test("that was refused is not given again", async () => {
    const credential = credentialOf();
    const first = await credential.get();
    credential.refused(first);
    expect(await credential.get()).not.toEqual(first);
    expect(google.asked).toEqual(["/v1/token", "/v1/token"]);
  });

  test("comes with the project that the key file bills", async () => {
    const path = join(directory, "billed.json");
    const key = await Bun.file(keyFile).json();
    writeFileSync(path, JSON.stringify({ ...key, quota_project_id: "billed" }));
    expect(await credentialOf(path).get()).toEqual({ ...bearer, "x-goog-user-project": "billed" });
  });

  test("is made with the key file as it is then", async () => {
    const path = join(directory, "late.json");
    const credential = credentialOf(path);
    expect((await rejection(credential.get())).message).toContain("ENOENT");
    await Bun.write(path, Bun.file(keyFile));
    now += 2_000;
    expect(await credential.get()).toEqual(bearer);
  });
});

describe("without a token the log can say why:", () => {
  const failure = async (path?: string) => (await rejection(credentialOf(path).get())).message;
  const fileOf = (content: string) => {
    const path = join(directory, "bad.json");
    writeFileSync(path, content);
    return path;
  };

  test("the key file is missing", async () =>
    expect(await failure("/nope.json")).toBe(
      "no credential for upstream 'vertex': ENOENT: no such file or directory, open '/nope.json'",
    ));

  test("it is not JSON, which is not quoted", async () => {
    const path = fileOf("-----BEGIN PRIVATE KEY-----");
    expect(await failure(path)).toBe(
      `no credential for upstream 'vertex': ${path} holds no JSON object`,
    );
  });

  test("it is of a kind that does not belong there", async () =>
    expect(await failure(fileOf('{"type":"authorized_user"}'))).toContain(
      "neither a service_account nor an external_account",
    ));

  test("it has no private key", async () =>
    expect(
      await failure(fileOf('{"type":"service_account","client_email":"a@example.com"}')),
    ).toContain("does not contain a private_key field"));

  test("Google refuses", async () => {
    google.refusal = {
      status: 400,
      body: { error: "invalid_grant", error_description: "the identity is not one of ours" },
    };
    expect(await failure()).toBe(
      "no credential for upstream 'vertex': Error code invalid_grant: the identity is not one of ours",
    );
  });
});

describe("in a process of its own", () => {
  // Nothing is installed there, and no other metadata server is looked for.
  const bare = { METADATA_SERVER_DETECTION: "none" };

  test("a service account's key goes to Google's token endpoint, and not where its token_uri says", async () => {
    const internet = await startInternet(google.answer);
    const path = writeServiceAccountKey(directory, `${google.url}/elsewhere`);
    const got = await obtainWith({ ...bare, ...internet.env }, [
      "google",
      { keyFile: path, projectId },
    ]);
    await internet.stop();
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
    expect(google.asked).toEqual([`${tokenHost}/token`, `${tokenHost}/token`]);
  });

  test("the default credential is the file that GOOGLE_APPLICATION_CREDENTIALS names, and nothing else is asked", async () => {
    const env = { ...bare, GOOGLE_APPLICATION_CREDENTIALS: keyFile };
    const got = await obtainWith(env, ["google", { projectId }]);
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
    expect(google.asked).toEqual(["/v1/token", "/v1/token"]);
  });

  test("the default credential is the machine's own where there is a metadata server", async () => {
    const env = { GCE_METADATA_HOST: google.url };
    const got = await obtainWith(env, ["google", { projectId }]);
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
  });

  test("no default credential at all is told", async () => {
    const got = await obtainWith(bare, ["google", { projectId }]);
    expect(got.error).toStartWith(
      "no credential for upstream 'cloud': Could not load the default credentials.",
    );
  });
});
