// The gateway's own keys at AWS: from each place of the default chain that can be had on one machine, asked for no more often
// than needed, and what is said when there are none.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAwsCredential } from "../../src/upstream/aws/credentials.ts";
import { CredentialError } from "../../src/upstream/credential.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { rejection } from "../support/idp.ts";
import { roleArn, startSts, webIdentity } from "../support/sts.ts";

clearAwsEnvironment();

const minuteMs = 60_000;
const directory = mkdtempSync(join(tmpdir(), "aws-"));
const sts = startSts();

/** The credentials endpoint of a container (ECS, EKS Pod Identity). */
const container = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    containerAsked.push(request.headers.get("authorization") ?? "");
    return containerKeys();
  },
});
const containerAsked: string[] = [];
const containerKeys = () =>
  Response.json({
    AccessKeyId: `ASIA${containerAsked.length}`,
    SecretAccessKey: "container-secret",
    Token: "container/token==",
    Expiration: new Date(Date.now() + 60 * minuteMs).toISOString(),
  });

let nowMs = Date.now();
const credentialOf = (auth: Parameters<typeof createAwsCredential>[0] = {}) =>
  createAwsCredential(auth, { owner: "upstream 'bedrock'", now: () => nowMs, fetch: fetchHere });

function inContainer(): void {
  process.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = new URL(
    "/v1/credentials",
    container.url,
  ).href;
  process.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "container-authorization";
}

function asServiceAccount(): void {
  const tokenFile = join(directory, "identity");
  writeFileSync(tokenFile, webIdentity);
  Object.assign(process.env, {
    AWS_ROLE_ARN: roleArn,
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_REGION: "eu-west-1",
  });
}

function writeCredentials(accessKeyId: string): void {
  const path = join(directory, "credentials");
  const profile = (name: string, id: string) =>
    `[${name}]\naws_access_key_id = ${id}\naws_secret_access_key = file-secret\n`;
  writeFileSync(path, profile("default", accessKeyId) + profile("other", "AKIAOTHER"));
  process.env["AWS_SHARED_CREDENTIALS_FILE"] = path;
}

beforeEach(() => {
  nowMs = Date.now();
  containerAsked.length = 0;
  sts.asked.length = 0;
  sts.instead = undefined;
});
afterAll(async () => {
  await Promise.all([container.stop(true), sts.stop()]);
  rmSync(directory, { recursive: true });
});

describe("keys come", () => {
  test("from the configuration before any other place", async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "env" });
    const auth = { aws_access_key_id: "AKIACONFIG", aws_secret_access_key: "config-secret" };
    expect(await credentialOf(auth).get()).toEqual({
      accessKeyId: "AKIACONFIG",
      secretAccessKey: "config-secret",
    });
    expect(await credentialOf({ ...auth, aws_session_token: "config-token" }).get()).toEqual({
      accessKeyId: "AKIACONFIG",
      secretAccessKey: "config-secret",
      sessionToken: "config-token",
    });
  });

  test("from the environment", async () => {
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: "AKIAENV",
      AWS_SECRET_ACCESS_KEY: "env-secret",
      AWS_SESSION_TOKEN: "env-token",
    });
    expect(await credentialOf().get()).toEqual({
      accessKeyId: "AKIAENV",
      secretAccessKey: "env-secret",
      sessionToken: "env-token",
    });
  });

  test("from the shared credentials file, by profile", async () => {
    writeCredentials("AKIAFILE");
    expect((await credentialOf().get()).accessKeyId).toBe("AKIAFILE");
    process.env["AWS_PROFILE"] = "other";
    expect(await credentialOf().get()).toEqual({
      accessKeyId: "AKIAOTHER",
      secretAccessKey: "file-secret",
    });
  });

  test("from STS for a web identity, as a Kubernetes service account has one", async () => {
    asServiceAccount();
    const { secretAccessKey, sessionToken } = await credentialOf().get();
    expect(secretAccessKey).toStartWith("secret-");
    expect(sessionToken).toStartWith("token/");
    expect(sts.asked.map(({ Action }) => Action)).toEqual(["AssumeRoleWithWebIdentity"]);
  });

  test("from the container's endpoint, with its authorization", async () => {
    inContainer();
    expect(await credentialOf().get()).toEqual({
      accessKeyId: "ASIA1",
      secretAccessKey: "container-secret",
      sessionToken: "container/token==",
    });
    expect(containerAsked).toEqual(["container-authorization"]);
  });
});

describe("keys of the default chain", () => {
  test("are not asked for before a request needs them", async () => {
    inContainer();
    credentialOf();
    await Bun.sleep(20);
    expect(containerAsked).toEqual([]);
  });

  test("are obtained once for fifty requests that want them at once", async () => {
    inContainer();
    const credential = credentialOf();
    const all = await Promise.all(Array.from({ length: 50 }, () => credential.get()));
    expect(new Set(all).size).toBe(1);
    expect(containerAsked).toHaveLength(1);
  });

  test("serve until their end draws near, and then there are others", async () => {
    inContainer();
    const credential = credentialOf();
    await credential.get();
    nowMs += 54 * minuteMs;
    expect((await credential.get()).accessKeyId).toBe("ASIA1");
    nowMs += 6 * minuteMs;
    expect((await credential.get()).accessKeyId).toBe("ASIA2");
  });

  test("that do not say their end are looked up again after a quarter of an hour", async () => {
    writeCredentials("AKIAOLD");
    const credential = credentialOf();
    await credential.get();
    writeCredentials("AKIANEW");
    nowMs += 10 * minuteMs;
    expect((await credential.get()).accessKeyId).toBe("AKIAOLD");
    nowMs += 5 * minuteMs;
    expect((await credential.get()).accessKeyId).toBe("AKIANEW");
  });

  test("that were refused are obtained anew, not remembered by the SDK", async () => {
    inContainer();
    const credential = credentialOf();
    credential.refused(await credential.get());
    expect((await credential.get()).accessKeyId).toBe("ASIA2");
  });
});

describe("without keys", () => {
  test("the error says whose they are, and ends with the cause", async () => {
    const error = await rejection(credentialOf().get());
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toBe(
      "no credential for upstream 'bedrock': AWS's default credential chain: " +
        "CredentialsProviderError: Could not load credentials from any providers",
    );
  });

  test.each([
    [
      "what AWS says is quoted no further than needed",
      () => sts.error(403, "AccessDenied", "x".repeat(2_000)),
      `: 403 AccessDenied: ${"x".repeat(500)}`,
    ],
    [
      "what AWS says to a wrong request is quoted by its first line: the rest repeats the request",
      () =>
        sts.error(403, "AccessDenied", `No.\n\nThe request was\nWebIdentityToken=${webIdentity}`),
      ": 403 AccessDenied: No.",
    ],
    [
      "a redirect of STS's is not followed",
      () => Response.redirect(container.url.href, 307),
      ": answered 307, a redirect, which is not followed",
    ],
  ])("%s", async (_, answer, end) => {
    asServiceAccount();
    sts.instead = answer;
    expect((await rejection(credentialOf().get())).message).toEndWith(end);
    expect(containerAsked).toEqual([]);
  });

  test("it is tried again a second later", async () => {
    const credential = credentialOf();
    await rejection(credential.get());
    inContainer();
    nowMs += 1_000;
    expect((await credential.get()).accessKeyId).toBe("ASIA1");
  });
});
