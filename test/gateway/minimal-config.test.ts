// The smallest configuration of each cloud, as an operator writes it: it boots with secrets from the environment, signs people
// in and lists the built-in models. On a machine that no cloud knows and that reaches none, a call fails in the contract's
// words and in bounded time.
import { afterAll, describe, expect, test } from "bun:test";
import { emptyHome } from "../support/empty-home.ts";
import { catalog } from "../../src/models/catalog.ts";
import { ask, refusalIn } from "../support/calls.ts";
import { freePort, startGateway } from "../support/gateway.ts";
import { startHostileIdp } from "../support/hostile-idp.ts";
import { startPostgres } from "../support/postgres.ts";
import { jwtSecret } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";

const upstreams = {
  bedrock: `
  - provider: bedrock
    region: us-east-1
    auth: {}`,
  google_cloud: `
  - provider: google_cloud
    region: us-east5
    project_id: example-prod
    auth: {}`,
  foundry: `
  - provider: foundry
    resource: example-foundry
    auth:
      use_azure_ad: true`,
};

const yaml = (port: number, issuer: string, upstream: string) => `
listen:
  host: 0.0.0.0
  port: ${port}
  public_url: http://localhost:${port}

oidc:
  issuer: ${issuer}
  client_id: gw
  client_secret: \${OIDC_CLIENT_SECRET}
  userinfo_fallback: true
  allowed_email_domains: [example.com]

session:
  jwt_secret: \${GATEWAY_JWT_SECRET}
  ttl_hours: 1

store:
  postgres_url: \${GATEWAY_POSTGRES_URL}

upstreams:${upstream}

auto_include_builtin_models: true
`;

const [postgres, idp, closedPort] = await Promise.all([
  startPostgres(),
  startHostileIdp(),
  freePort(),
]);
// As of IdPs that put next to nothing into the id_token.
idp.bend.claims = ({ email: _email, ...claims }) => claims;
afterAll(() => idp.close());

/** A machine without credentials, and without a cloud's metadata or a way out. (Azure's metadata address cannot be moved.) */
const nowhere = `http://127.0.0.1:${closedPort}`;
const noCloud = {
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^(AWS|AZURE|GOOGLE|GCLOUD|GCE|IDENTITY|MSI)_/.test(name))
      .map((name) => [name, ""]),
  ),
  HOME: emptyHome,
  PATH: emptyHome,
  AWS_EC2_METADATA_DISABLED: "true",
  GCE_METADATA_HOST: `127.0.0.1:${closedPort}`,
  HTTPS_PROXY: nowhere,
  https_proxy: nowhere,
};

async function boot(upstream: string, env: Record<string, string> = {}) {
  const port = await freePort();
  const gateway = await startGateway(yaml(port, idp.issuer, upstream), {
    OIDC_CLIENT_SECRET: idp.clientSecret,
    GATEWAY_JWT_SECRET: jwtSecret,
    GATEWAY_POSTGRES_URL: await postgres.createDatabase(),
    ...noCloud,
    ...env,
  });
  return { ...gateway, url: `http://localhost:${port}` };
}

/** Milliseconds until a developer is told that there is no answer. A credential may be looked for for 15 s. */
const patienceMs = 20_000;

describe.each(Object.entries(upstreams))("%s", (name, upstream) => {
  test(
    "boots, signs in, lists the built-in models, and fails calls in bounded time",
    async () => {
      const gateway = await boot(upstream);
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);

      const tokens = await deviceFlow({ gateway, idp }).signIn();
      expect(tokens.expires_in).toBe(3600);
      const bearer = tokens.access_token;
      const models = await fetch(`${gateway.url}/v1/models`, {
        headers: { authorization: `Bearer ${bearer}` },
      });
      const { data } = (await models.json()) as { data: { id: string }[] };
      expect(data.map(({ id }) => id)).toEqual(
        catalog.filter(({ retired }) => retired !== true).map(({ id }) => id),
      );

      const signal = AbortSignal.timeout(patienceMs);
      const scene = { gateway, bearer: () => Promise.resolve(bearer) };
      expect(await refusalIn(await ask(scene, "claude-opus-4-8", { signal }))).toEqual({
        status: 502,
        type: "api_error",
        message: "all upstreams failed (1 attempted)",
      });
      await gateway.waitForLog(new RegExp(`all upstreams failed \\S+ ${name}: `));
      await gateway.audited("inference", { email: "ada@example.com", upstream: null, status: 502 });
      expect(await gateway.stop()).toBe(0);
    },
    2 * patienceMs,
  );
});

test("a cloud that cannot be reached with good credentials fails calls in the same words", async () => {
  const gateway = await boot(upstreams.bedrock, {
    AWS_ACCESS_KEY_ID: "AKIATEST",
    AWS_SECRET_ACCESS_KEY: "aws-secret",
  });
  const { access_token: bearer } = await deviceFlow({ gateway, idp }).signIn();
  const scene = { gateway, bearer: () => Promise.resolve(bearer) };
  for (const fields of [{}, { stream: true }]) {
    const signal = AbortSignal.timeout(patienceMs);
    const { status } = await ask(scene, "claude-opus-4-8", { fields, signal });
    expect(status).toBe(502);
  }
  await gateway.waitForLog(/all upstreams failed \S+ bedrock: ECONNREFUSED/);
  await gateway.stop();
});
