// What stands around a journey: a real PostgreSQL, a real OIDC provider, an upstream that answers, the gateway between them,
// and places in which the client runs as on a machine whose managed settings name that gateway.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/gateway.ts";
import { type OidcProvider, startOidcProvider } from "../support/idp.ts";
import { startPostgres } from "../support/postgres.ts";
import { realClient } from "./client.ts";
import { type GatewayProcess, startGateway } from "./gateway.ts";
import { openWorkplace, type Workplace } from "./terminal.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

const words = ["hello", " world"];

export type Scene = AsyncDisposable & {
  /** Path of the client's executable. */
  client: string;
  /** The gateway's public URL. */
  base: string;
  gateway: GatewayProcess;
  upstream: Upstream;
  /** What the upstream says to everything. */
  answer: string;
  /** What the gateway was configured with and must never show: its credentials, by what they are for. */
  secrets: { client: string; jwt: string; upstream: string };
  /** Another gateway on the same database and for the same public URL; where it listens itself. Closed with the scene. */
  openReplica(): Promise<{ url: string; gateway: GatewayProcess }>;
  /** A machine as its owner set it up. Closed with the scene. */
  openWorkplace(managedSettings?: object): Promise<Workplace>;
};

/** What a scene needs of its identity provider. */
type Idp = Pick<OidcProvider, "issuer" | "clientId" | "clientSecret" | "close">;

/** Sections of the configuration beside a scene's own, and what there is to say about sessions. */
type Sections = { readonly session?: object; readonly [name: string]: object | undefined };

/**
 * @param command the gateway's, with `{config}` where the path of the configuration goes
 * @param startIdp starts an identity provider other than the real one
 */
export async function openScene(
  command: string,
  sections: Sections = {},
  startIdp: (redirectUri: string) => Promise<Idp> = realIdp,
): Promise<Scene> {
  const client = await realClient();
  // Undone from the last to the first, however far it came.
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "gateway-journey-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const postgres = await startPostgres();
  started.defer(() => postgres.stop());
  const upstream = startUpstream(words);
  started.defer(() => upstream.stop());

  const port = await freePort();
  const base = `http://localhost:${port}`;
  const idp = await startIdp(`${base}/oauth/callback`);
  started.defer(() => idp.close());
  const secrets = {
    client: idp.clientSecret,
    jwt: "only-for-this-test-0123456789abcdef",
    upstream: "sk-only-for-this-test",
  };
  const config = {
    ...sections,
    oidc: {
      issuer: idp.issuer,
      client_id: idp.clientId,
      client_secret: secrets.client,
      scopes: ["openid", "profile", "email", "groups", "offline_access"],
    },
    session: { jwt_secret: secrets.jwt, ...sections.session },
    store: { postgres_url: await postgres.createDatabase() },
    upstreams: [
      { provider: "anthropic", base_url: upstream.url, auth: { api_key: secrets.upstream } },
    ],
  };
  const openGateway = (own: number) =>
    startGateway(command, join(directory, String(own)), {
      ...config,
      listen: { host: "127.0.0.1", port: own, public_url: base },
    });
  const gateway = await openGateway(port);
  started.defer(() => gateway.stop().then(() => undefined));

  const namesGateway = { forceLoginMethod: "gateway", forceLoginGatewayUrl: base };
  const everything = started.move();
  return {
    client,
    base,
    gateway,
    upstream,
    answer: words.join(""),
    secrets,
    async openReplica() {
      const own = await freePort();
      const replica = await openGateway(own);
      everything.defer(() => replica.stop().then(() => undefined));
      return { url: `http://localhost:${own}`, gateway: replica };
    },
    async openWorkplace(managedSettings = namesGateway) {
      const workplace = await openWorkplace(managedSettings);
      everything.defer(() => workplace.close());
      return workplace;
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

function realIdp(redirectUri: string): Promise<Idp> {
  return startOidcProvider({ redirectUris: [redirectUri] });
}
