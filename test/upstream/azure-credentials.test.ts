// Access tokens for Microsoft Foundry: whose, for which audience, from which Entra, and what is said when there is none. Each
// is asked for by a process with the environment that such a machine has. How long a token serves is in foundry.test.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  application,
  clientSecret,
  federatedIdentity,
  startAzure,
  tenant,
} from "../support/azure.ts";
import { type Internet, obtainWith, startInternet } from "../support/internet.ts";

const baseUrl = "https://example.services.ai.azure.com/anthropic";
const azure = startAzure();
let internet: Internet;

beforeAll(async () => {
  internet = await startInternet(azure.answer);
});
beforeEach(() => {
  azure.asked.length = 0;
  azure.refusal = undefined;
});
afterAll(async () => {
  await internet.stop();
  await azure.stop();
});

const bearer = { authorization: expect.stringMatching(/^Bearer (entra|identity)-\d+$/) };
const secretEnv = () => ({
  ...internet.env,
  AZURE_TENANT_ID: tenant,
  AZURE_CLIENT_ID: application,
  AZURE_CLIENT_SECRET: clientSecret,
});

describe("a token is obtained", () => {
  test("with the secret of an application, again when the first is refused", async () => {
    const got = await obtainWith(secretEnv(), ["azure", { baseUrl }]);
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
    expect(got.proofs[0]).not.toEqual(got.proofs[1]);
    const asked = {
      host: "login.microsoftonline.com",
      audience: "https://cognitiveservices.azure.com/.default",
    };
    expect(azure.asked).toEqual([asked, asked]);
  });

  test("with the federated identity of a Kubernetes workload", async () => {
    const file = join(internet.directory, "identity.jwt");
    writeFileSync(file, federatedIdentity);
    const env = {
      ...internet.env,
      AZURE_TENANT_ID: tenant,
      AZURE_CLIENT_ID: application,
      AZURE_FEDERATED_TOKEN_FILE: file,
    };
    const got = await obtainWith(env, ["azure", { baseUrl }]);
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
  });

  test("with the managed identity of an app in App Service", async () => {
    const got = await obtainWith(azure.env, ["azure", { baseUrl }]);
    expect(got).toEqual({ proofs: [bearer, bearer], stderr: "" });
    expect(azure.asked[0]).toEqual({
      host: "app service",
      audience: "https://cognitiveservices.azure.com",
    });
  });

  test("from the Entra of Azure Government, for its audience, where the resource is there", async () => {
    const there = { baseUrl: "https://example.services.ai.azure.us/anthropic" };
    const got = await obtainWith(secretEnv(), ["azure", there]);
    expect(got.error).toBeUndefined();
    expect(azure.asked[0]).toEqual({
      host: "login.microsoftonline.us",
      audience: "https://cognitiveservices.azure.us/.default",
    });
  });

  test("from the authority that the environment names, whatever the resource", async () => {
    const there = { baseUrl: "https://example.services.ai.azure.us/anthropic" };
    const env = { ...secretEnv(), AZURE_AUTHORITY_HOST: "https://login.microsoftonline.com" };
    await obtainWith(env, ["azure", there]);
    expect(azure.asked[0]?.host).toBe("login.microsoftonline.com");
  });

  test("for the public cloud where the host only looks like another's", async () => {
    const there = { baseUrl: "https://azure.us.example.com/anthropic" };
    await obtainWith(secretEnv(), ["azure", there]);
    expect(azure.asked[0]?.host).toBe("login.microsoftonline.com");
  });
});

test("Entra's refusal is told", async () => {
  azure.refusal = { error: "invalid_client", error_description: "AADSTS7000222: secret expired" };
  const { error, proofs } = await obtainWith(secretEnv(), ["azure", { baseUrl }]);
  expect(proofs).toEqual([]);
  expect(error).toStartWith("no credential for upstream 'cloud': ");
  expect(error).toContain("AADSTS7000222: secret expired");
  expect(error).not.toContain(clientSecret);
});
