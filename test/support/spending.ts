// A gateway that counts what is spent, at prices that are added up by hand: a token that the model writes costs a cent, and so do
// a hundred that it reads. With it the admin API as an operator calls it, and what the database says was spent.
import { expect } from "bun:test";
import postgres from "postgres";
import { periodsAt } from "../../src/spend/periods.ts";
import { freePort, type GatewayProcess, startGateway } from "./gateway.ts";
import { helloCall, openScene, type Scene } from "./scene.ts";

export const adminKey = "write-key-0123456789abcdef0123456789";
export const model = helloCall.model;

/** US dollars per million tokens: a cent for each token written, and for each hundred read. */
export const roundPrices = { input: 100, output: 10_000, cache_read: 10, cache_write: 200 };

/** Milliseconds until what was spent is in the database at the latest, on a machine that has much else to do. */
const writtenMsMax = 5_000;

export type SpendScene = Scene & {
  tables: Tables;
  /** Sends a call that costs so many cents when it is answered in full. */
  buy: (buyer: Buyer, cents: number, init?: BuyInit) => Promise<Response>;
  /** Another gateway on the same database, for the same bearers. */
  replica: () => Promise<GatewayProcess>;
};

/** Who asks: a `sub`, or whatever a bearer says. */
export type Buyer = string | { sub: string; email?: string; name?: string; groups?: string[] };

export type BuyInit = {
  /** The scene's own when not given. */
  gateway?: GatewayProcess;
  /** Further members of the body. */
  fields?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  redirect?: "manual";
};

/** @param change edits the configuration, `admin:` and `pricing:` included, before the gateway starts. */
export async function openSpendScene(
  change: (config: any) => void = () => undefined,
  env: Record<string, string> = {},
): Promise<SpendScene> {
  const scene = await openScene((config) => {
    config.admin = { write_keys: [{ id: "ops", key: adminKey }], blocked_message: "ask" };
    config.pricing = { overrides: [{ upstream: "anthropic", model, ...roundPrices }] };
    change(config);
  }, env);
  const { postgres_url: url } = scene.config.store as { postgres_url: string };
  const tables = openTables(url);
  const replicas: GatewayProcess[] = [];
  return {
    ...scene,
    tables,
    async buy(buyer, cents, { gateway = scene.gateway, fields, headers, ...rest } = {}) {
      const bearer = await scene.bearer(typeof buyer === "string" ? { sub: buyer } : buyer);
      return fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        body: JSON.stringify({ ...helloCall, max_tokens: cents, ...fields }),
        headers: { authorization: `Bearer ${bearer}`, ...headers },
        ...rest,
      });
    },
    async replica() {
      const config = structuredClone(scene.config) as { listen: { port: number } };
      config.listen.port = await freePort();
      const gateway = await startGateway(config, env);
      replicas.push(gateway);
      return gateway;
    },
    async stop() {
      await Promise.all([
        tables.close(),
        scene.stop(),
        ...replicas.map((replica) => replica.stop("SIGKILL")),
      ]);
    },
  };
}

/** For whom a cap is, as the admin API says it. */
export const person = (sub: string) => ({ type: "user", user_id: sub });
export const group = (name: string) => ({ type: "rbac_group", rbac_group_id: name });

/** Makes or replaces a cap, monthly unless told otherwise; resolves with its id. */
export async function setCap(
  { url }: Pick<GatewayProcess, "url">,
  scope: object,
  cents: number | null,
  more: object = {},
): Promise<string> {
  const response = await fetch(`${url}/v1/organizations/spend_limits`, {
    method: "POST",
    headers: { "x-api-key": adminKey },
    body: JSON.stringify({ scope, amount: cents === null ? null : String(cents), ...more }),
  });
  const answer = (await response.json()) as { id: string };
  expect([response.status, answer]).toEqual([200, expect.anything()]);
  return answer.id;
}

export async function deleteCap({ url }: Pick<GatewayProcess, "url">, id: string): Promise<void> {
  const response = await fetch(`${url}/v1/organizations/spend_limits/${id}`, {
    method: "DELETE",
    headers: { "x-api-key": adminKey },
  });
  expect(response.status).toBe(200);
}

/** What the client is told of the fullest limit. */
export function utilizationIn({ headers }: Response): string | null {
  return headers.get("anthropic-ratelimit-unified-overage-utilization");
}

/** Status, type and message of a refusal. */
export async function refusal(response: Response): Promise<[number, string, string]> {
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  return [response.status, error.type, error.message];
}

/** The sums of this month, in cents as the database writes them; "0" where there is no row. */
export type Tables = {
  sql: postgres.Sql;
  spent(principal: string): Promise<string>;
  pooled(group: string): Promise<string>;
  ofSession(principal: string, session: string): Promise<string>;
  /** Waits until a sum is what it should be. */
  until(sum: () => Promise<string>, cents: number): Promise<void>;
  /** The same for what a person spent. */
  untilSpent(principal: string, cents: number): Promise<void>;
  close(): Promise<void>;
};

export function openTables(url: string): Tables {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, backoff: () => 0.1 });
  const month = () => periodsAt(Date.now()).monthly.key;
  const only = (rows: readonly { cents?: string }[]) => rows[0]?.cents ?? "0";
  const spent = async (principal: string) =>
    only(
      await sql`select trim_scale(cents)::text as cents from spend
        where principal = ${principal} and period = ${month()}`,
    );
  async function until(sum: () => Promise<string>, cents: number): Promise<void> {
    const deadline = Date.now() + writtenMsMax;
    while ((await sum()) !== String(cents) && Date.now() < deadline) await Bun.sleep(5);
    expect(await sum()).toBe(String(cents));
  }
  return {
    sql,
    spent,
    pooled: async (name) =>
      only(
        await sql`select trim_scale(cents)::text as cents from pooled_spend
          where rbac_group_id = ${name} and period = ${month()}`,
      ),
    ofSession: async (principal, session) =>
      only(
        await sql`select trim_scale(cents)::text as cents from session_spend
          where principal = ${principal} and session_id = ${session} and period = ${month()}`,
      ),
    until,
    untilSpent: (principal, cents) => until(() => spent(principal), cents),
    close: () => sql.end({ timeout: 1 }),
  };
}
