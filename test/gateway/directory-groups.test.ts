// Groups that come from a directory, through a running gateway: people of Microsoft Entra whose groups do not fit into a token,
// and what operators and clients see when a directory does not answer. The IdP is a real one that writes Entra's overage
// claim; how lists are read is in idp/google-groups.test.ts and idp/entra-groups.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import {
  googleError,
  graphError,
  graphGroups,
  startGoogleDirectory,
  startGraph,
} from "../support/directories.ts";
import { freePort, runCommand } from "../support/gateway.ts";
import { serviceAccountClientId, writeServiceAccountKey } from "../support/google.ts";
import { startOidcProvider } from "../support/idp.ts";
import { certificate, startInternet } from "../support/internet.ts";
import { openScene, type Scene } from "../support/scene.ts";
import { selfSigned } from "../support/self-signed.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";

/** The object id of a group. */
const groupId = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
const eveGroup = "00000000-0000-4000-8000-00000000cafe";

const directory = mkdtempSync(join(tmpdir(), "directory-groups-"));
const authority = join(directory, "authority.pem");
writeFileSync(authority, selfSigned.cert);

const graph = startGraph(selfSigned);
const google = startGoogleDirectory();
const internet = await startInternet(google.play);
const [entraPort, strictPort] = [await freePort(), await freePort()];
const redirectUri = (port: number) => `http://localhost:${port}/oauth/callback`;
const provider = await startOidcProvider({
  redirectUris: [entraPort, strictPort].map(redirectUri),
  discovery: { msgraph_host: new URL(graph.url).host },
  rotateRefreshToken: false,
});

/** A gateway whose people sign in at the real provider. */
const openReal = (port: number, changes: object) =>
  openScene(
    (config) => {
      config.listen = { host: "127.0.0.1", port, public_url: `http://localhost:${port}` };
      config.oidc = {
        issuer: provider.issuer,
        client_id: provider.clientId,
        client_secret: provider.clientSecret,
        scopes: ["openid", "email", "groups", "offline_access"],
        // Another authority than the one that vouches for Graph: the house's, for the house's IdP.
        ca_cert_pem: certificate,
        ...changes,
      };
    },
    { NODE_EXTRA_CA_CERTS: authority },
  );
const [entra, strict, workspace] = await Promise.all([
  openReal(entraPort, { entra_groups: {}, allowed_groups: [groupId(777), eveGroup] }),
  openReal(strictPort, {}),
  openScene((config) => {
    config.oidc.google_groups = {
      service_account_json_path: writeServiceAccountKey(directory, "https://evil.example/"),
      admin_email: "admin@example.com",
    };
    config.oidc.ca_cert_pem = selfSigned.cert;
  }, internet.env),
]);
afterAll(async () => {
  const parts = [entra, strict, workspace, graph, google, internet];
  await Promise.all([...parts.map((part) => part.stop()), provider.close()]);
  rmSync(directory, { recursive: true });
});

/** Graph, for the people whom the provider's own access tokens speak for. */
async function membersOf(accessToken: string) {
  const headers = { authorization: `Bearer ${accessToken}` };
  const response = await fetch(`${provider.issuer}/me`, { headers });
  const { sub } = (await response.json()) as { sub?: string };
  return sub === "olga" ? graphGroups(...manyGroups) : undefined;
}
const manyGroups = Array.from({ length: 1_200 }, (_, index) => groupId(index));
beforeEach(() => {
  graph.straighten();
  google.straighten();
  graph.membersOf = membersOf;
});

/** Goes through the sign-in as far as it leads: the page at its end, and what the device is told. */
async function signIn(scene: Scene, login: string) {
  const flow = deviceFlow(scene);
  const codes = await flow.begin();
  const confirmed = await flow.submit("/device", codes.user_code);
  const back = await provider.signIn(confirmed.headers.get("location") ?? "", login);
  const cookie = (confirmed.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
  const page = await flow.comeBack({ callback: back.href, cookie });
  return { page, answer: await flow.poll(codes.device_code) };
}
const groupsIn = ({ access_token }: Tokens) => decodeJwt(access_token)["groups"];

describe("with entra_groups", () => {
  test("a person with too many groups for a token has those that decide, now and after a refresh", async () => {
    const { page, answer } = await signIn(entra, "olga");
    expect(page).toContain("signed in");
    const tokens = (await answer.json()) as Tokens;
    // The one that the configuration names, and the first ones while there is room in a bearer.
    const carried = [...manyGroups.slice(0, 104), groupId(777)];
    expect(groupsIn(tokens)).toEqual(carried);
    const renewed = await deviceFlow(entra).refresh(tokens.refresh_token ?? "");
    expect(groupsIn((await renewed.json()) as Tokens)).toEqual(carried);
    // Two pages each time.
    expect(graph.questions).toHaveLength(4);
  });

  test("a person whose groups fit has those of the token, and Graph is not asked", async () => {
    const { answer } = await signIn(entra, "eve");
    expect(groupsIn((await answer.json()) as Tokens)).toEqual([eveGroup]);
    expect(graph.questions).toEqual([]);
  });

  test("an outage of Graph lets a sign-in and a session wait", async () => {
    const { answer } = await signIn(entra, "olga");
    const { refresh_token = "" } = (await answer.json()) as Tokens;
    graph.answer = () => graphError(503, "serviceNotAvailable", "later");
    const err = "entra_groups lookup failed: Microsoft Graph 503: serviceNotAvailable (later)";

    const late = await deviceFlow(entra).refresh(refresh_token);
    expect([late.status, await late.json()]).toEqual([503, { error: "temporarily_unavailable" }]);
    const outcome = { step: "directory", answer: "temporarily_unavailable" };
    await entra.gateway.audited("session.refresh", { result: "fail", err, ...outcome });

    const interrupted = await signIn(entra, "olga");
    expect(interrupted.page).toContain("its code stays valid");
    expect(await interrupted.answer.json()).toEqual({ error: "authorization_pending" });
    await entra.gateway.audited("session.mint", { result: "fail", err });

    graph.answer = undefined;
    expect((await deviceFlow(entra).refresh(refresh_token)).status).toBe(200);
  });

  test("a missing permission is named in the audit", async () => {
    graph.answer = () => graphError(403, "Authorization_RequestDenied", "Insufficient privileges");
    await signIn(entra, "olga");
    await entra.gateway.waitForLog(
      /"err":"[^"]*delegated permission User\.Read of Microsoft Graph/,
    );
  });
});

test("without entra_groups a person with too many groups is refused, and the audit says how to mend it", async () => {
  const { page, answer } = await signIn(strict, "olga");
  expect(page).toContain("could not be completed");
  expect(page).not.toContain("entra_groups");
  expect(await answer.json()).toEqual({ error: "access_denied" });
  await strict.gateway.waitForLog(/"evt":"session\.mint".*set oidc\.entra_groups: \{\}/);
  expect((await signIn(strict, "ada")).answer.status).toBe(200);
  expect(graph.questions).toEqual([]);
});

describe("with google_groups", () => {
  const asked = () => google.questions.map(({ url }) => `${url.hostname}${url.search}`);

  test("a person has the groups of the directory, now and after a refresh, through the proxy of the environment", async () => {
    google.groups["ada@example.com"] = ["All@example.com", "dev@example.com"];
    const tokens = await deviceFlow(workspace).signIn();
    expect(groupsIn(tokens)).toEqual(["all@example.com", "dev@example.com"]);
    google.groups["ada@example.com"] = ["all@example.com"];
    const renewed = await deviceFlow(workspace).refresh(tokens.refresh_token ?? "");
    expect(groupsIn((await renewed.json()) as Tokens)).toEqual(["all@example.com"]);
    const question = "admin.googleapis.com?userKey=ada%40example.com&maxResults=200";
    expect(asked()).toEqual([question, question]);
  });

  test("an outage of Google lets a session wait", async () => {
    google.groups["ada@example.com"] = [];
    const { refresh_token = "" } = await deviceFlow(workspace).signIn();
    google.answer = () => googleError(503, "backendError", "later");
    const late = await deviceFlow(workspace).refresh(refresh_token);
    expect([late.status, await late.json()]).toEqual([503, { error: "temporarily_unavailable" }]);
    await workspace.gateway.audited("session.refresh", {
      result: "fail",
      err: "google_groups lookup failed: directory API 503: backendError (later)",
      step: "directory",
      answer: "temporarily_unavailable",
    });
    google.answer = undefined;
    expect((await deviceFlow(workspace).refresh(refresh_token)).status).toBe(200);
  });

  test("a delegation that is missing ends the sign-in, and the audit says where to set it up", async () => {
    google.tokenAnswer = () => Response.json({ error: "unauthorized_client" }, { status: 401 });
    google.answer = () => googleError(401, "authError", "Invalid Credentials");
    await deviceFlow(workspace).signIn();
    google.questions.length = 0;
    const flow = deviceFlow(workspace);
    const codes = await flow.begin();
    const page = await flow.comeBack(await flow.confirm(codes.user_code));
    expect(page).toContain("could not be completed");
    expect(await (await flow.poll(codes.device_code)).json()).toEqual({ error: "access_denied" });
    await workspace.gateway.waitForLog(
      new RegExp(
        `"err":"[^"]*delegation set up for client id ${serviceAccountClientId} with scope`,
      ),
    );
    expect(google.assertions[0]?.payload.sub).toBe("admin@example.com");
    expect(google.questions).toEqual([]);
  });

  test("a key file that is not there stops the boot", async () => {
    const path = join(directory, "gateway.json");
    const oidc = {
      ...(workspace.config["oidc"] as object),
      google_groups: { service_account_json_path: "/nowhere.json", admin_email: "a@example.com" },
    };
    const listen = { host: "127.0.0.1", port: 0 };
    writeFileSync(path, JSON.stringify({ ...workspace.config, oidc, listen }));
    const env = { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" };
    const { stderr, exitCode } = await runCommand(["--config", path], env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("oidc.google_groups.service_account_json_path: ENOENT");
    expect((await runCommand(["check", "--config", path], env)).exitCode).toBe(0);
  });
});
