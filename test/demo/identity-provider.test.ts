// The demo's identity provider as a relying party sees it: oauth4webapi is the client, and checks all that a client must.
import { afterAll, expect, test } from "bun:test";
import * as oauth from "oauth4webapi";
import { createBrowser } from "../../src/demo/browser.ts";
import { startDemoIdentityProvider } from "../../src/demo/identity-provider.ts";

const redirectUri = "http://localhost:9/oauth/callback";
const client: oauth.Client = { client_id: "gateway" };
const secret = "a secret of the demo's client";
let nowMs = Date.now();
const idp = startDemoIdentityProvider({
  clientId: client.client_id,
  clientSecret: secret,
  redirectUri,
  now: () => nowMs,
});
afterAll(() => idp.stop());

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(idp.issuer);
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, insecure),
);

/** Parameters of a good authorization request, and the verifier that goes with them. */
async function goodRequest() {
  const verifier = oauth.generateRandomCodeVerifier();
  const parameters = {
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: "code",
    scope: "openid profile email offline_access",
    state: "state-1",
    nonce: "nonce-1",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  return { verifier, parameters };
}

/** Where a request for authorization leads without a person's doing. */
function begin(parameters: Record<string, string>): Promise<Response> {
  const url = `${server.authorization_endpoint}?${new URLSearchParams(parameters).toString()}`;
  return fetch(url, { redirect: "manual" });
}

/** The address the browser is sent back to once a person was picked. */
async function pick(parameters: Record<string, string>, login: string): Promise<URL> {
  // The client is not there: the browser stops at its door.
  const browser = createBrowser(async (url, init) =>
    url.startsWith(redirectUri) ? new Response(url) : fetch(url, init),
  );
  const page = await browser.open(
    `${server.authorization_endpoint}?${new URLSearchParams(parameters).toString()}`,
  );
  return new URL((await browser.submit(page, { login })).url);
}

/** The token endpoint's answer to a code. */
async function exchange(
  back: URL,
  verifier: string,
  o: { redirectUri?: string; secret?: string; basic?: boolean } = {},
): Promise<Response> {
  const given = oauth.validateAuthResponse(server, client, back, "state-1");
  const authentication = o.basic ? oauth.ClientSecretBasic : oauth.ClientSecretPost;
  return oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication(o.secret ?? secret),
    given,
    o.redirectUri ?? redirectUri,
    verifier,
    insecure,
  );
}

const claimsOf = async (answer: Response) => {
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    expectedNonce: "nonce-1",
    requireIdToken: true,
  });
  return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) };
};

async function expectInvalidGrant(answer: Response): Promise<void> {
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: "invalid_grant" });
}

test("a person who is picked comes back with an id_token of their own name and groups", async () => {
  for (const [login, group] of [
    ["ada", "platform"],
    ["bob", "interns"],
  ] as const) {
    const { verifier, parameters } = await goodRequest();
    const answer = await exchange(await pick(parameters, login), verifier);
    const { claims } = await claimsOf(answer);
    await oauth.validateApplicationLevelSignature(server, answer, insecure);
    expect(claims).toMatchObject({
      iss: idp.issuer,
      aud: "gateway",
      sub: login,
      email: `${login}@example.com`,
      email_verified: true,
      groups: [group],
    });
  }
});

test("the client may prove itself by HTTP Basic too", async () => {
  const { verifier, parameters } = await goodRequest();
  const answer = await exchange(await pick(parameters, "ada"), verifier, { basic: true });
  expect((await claimsOf(answer)).claims?.sub).toBe("ada");
});

test("a wrong client secret is refused", async () => {
  const { verifier, parameters } = await goodRequest();
  const answer = await exchange(await pick(parameters, "ada"), verifier, { secret: "guess" });
  expect([answer.status, await answer.json()]).toEqual([401, { error: "invalid_client" }]);
});

test("a code with another PKCE verifier is refused", async () => {
  const { parameters } = await goodRequest();
  const other = oauth.generateRandomCodeVerifier();
  const answer = await exchange(await pick(parameters, "ada"), other);
  await expectInvalidGrant(answer);
});

test("a code works once", async () => {
  const { verifier, parameters } = await goodRequest();
  const back = await pick(parameters, "ada");
  expect((await exchange(back, verifier)).status).toBe(200);
  const second = await exchange(back, verifier);
  await expectInvalidGrant(second);
});

test("a code is gone after a minute", async () => {
  const { verifier, parameters } = await goodRequest();
  const back = await pick(parameters, "ada");
  nowMs += 60_000;
  expect((await exchange(back, verifier)).status).toBe(400);
});

test("a code is not exchanged for another redirect_uri", async () => {
  const { verifier, parameters } = await goodRequest();
  const answer = await exchange(await pick(parameters, "ada"), verifier, {
    redirectUri: "http://localhost:9/other",
  });
  await expectInvalidGrant(answer);
});

test("a request for another client or redirect_uri ends on a page and redirects nowhere", async () => {
  const { parameters } = await goodRequest();
  for (const wrong of [
    { client_id: "other" },
    { redirect_uri: `${redirectUri}/x` },
    { redirect_uri: "http://evil.example/" },
  ]) {
    const answer = await begin({ ...parameters, ...wrong });
    expect([answer.status, answer.headers.get("location")]).toEqual([400, null]);
  }
});

test.each([
  ["without a code_challenge", { code_challenge: "" }, "invalid_request"],
  ["with PKCE method plain", { code_challenge_method: "plain" }, "invalid_request"],
  ["for another response_type", { response_type: "token" }, "unsupported_response_type"],
  ["without the scope openid", { scope: "email" }, "invalid_scope"],
])("a request %s goes back to the client with an error", async (_, wrong, error) => {
  const { parameters } = await goodRequest();
  const answer = await begin({ ...parameters, ...wrong });
  const back = new URL(answer.headers.get("location") ?? "");
  expect(back.origin + back.pathname).toBe(redirectUri);
  expect(back.searchParams.get("error")).toBe(error);
  expect(back.searchParams.get("state")).toBe("state-1");
  expect(back.searchParams.get("code")).toBeNull();
});

test("a name that is nobody's gets the question again, not a code", async () => {
  const { parameters } = await goodRequest();
  const end = await pick(parameters, "eve");
  expect(end.origin).toBe(idp.issuer);
});

test("a question that was answered is not answered again", async () => {
  const { parameters } = await goodRequest();
  const target = (await begin(parameters)).headers.get("location") ?? "";
  const answer = () =>
    fetch(target, {
      method: "POST",
      body: new URLSearchParams({ login: "ada" }),
      redirect: "manual",
    });
  expect((await answer()).status).toBe(303);
  expect((await answer()).status).toBe(400);
});

test("a refresh token is renewed into the same person's claims until it is a day old", async () => {
  const { verifier, parameters } = await goodRequest();
  const { tokens } = await claimsOf(await exchange(await pick(parameters, "bob"), verifier));
  const refresh = (refreshToken: string) =>
    oauth.refreshTokenGrantRequest(
      server,
      client,
      oauth.ClientSecretPost(secret),
      refreshToken,
      insecure,
    );
  const renewed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await refresh(tokens.refresh_token ?? ""),
  );
  expect(oauth.getValidatedIdTokenClaims(renewed)).toMatchObject({
    sub: "bob",
    groups: ["interns"],
  });

  expect((await refresh("unknown")).status).toBe(400);
  nowMs += 24 * 3600 * 1000;
  const late = await refresh(tokens.refresh_token ?? "");
  await expectInvalidGrant(late);
  nowMs = Date.now();
});

test("without the scope offline_access there is no refresh token", async () => {
  const { verifier, parameters } = await goodRequest();
  const back = await pick({ ...parameters, scope: "openid" }, "ada");
  const { tokens, claims } = await claimsOf(await exchange(back, verifier));
  expect(tokens.refresh_token).toBeUndefined();
  expect(claims?.["email"]).toBeUndefined();
});

test("userinfo answers for a good access token only", async () => {
  const { verifier, parameters } = await goodRequest();
  const { tokens } = await claimsOf(await exchange(await pick(parameters, "ada"), verifier));
  const answer = await oauth.userInfoRequest(server, client, tokens.access_token, insecure);
  const info = await oauth.processUserInfoResponse(server, client, "ada", answer);
  expect(info["groups"]).toEqual(["platform"]);
  expect((await fetch(server.userinfo_endpoint ?? "")).status).toBe(401);
});

test("the page has two buttons, no script, and may post to itself and the client only", async () => {
  const { parameters } = await goodRequest();
  const page = await fetch((await begin(parameters)).headers.get("location") ?? "");
  const html = await page.text();
  expect(html.match(/<button\b/g)).toHaveLength(2);
  expect(html).not.toMatch(/<script|onclick|type="password"/i);
  const policy = page.headers.get("content-security-policy");
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("form-action 'self' http://localhost:9;");
});

test("a request that came by another host name is turned away", async () => {
  const address = `${idp.issuer}/.well-known/openid-configuration`;
  expect((await fetch(address, { headers: { host: "evil.example" } })).status).toBe(400);
});
