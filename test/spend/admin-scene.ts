// An admin API as it is mounted: real listener, router, sessions and PostgreSQL, and what it wrote to stderr meanwhile.
import { expect } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdmission } from "../../src/http/admission.ts";
import { ApiError } from "../../src/http/errors.ts";
import { listen } from "../../src/http/listener.ts";
import { createRouter } from "../../src/http/router.ts";
import { flushLog, setLogDescriptor, setLogLevel, stderr } from "../../src/log.ts";
import { createSessions } from "../../src/session.ts";
import { adminPath, createAdminApi } from "../../src/spend/admin/admin-api.ts";
import { createLimitsStore, type LimitsStore } from "../../src/store/limits.ts";
import { nothingEnded } from "../support/endings.ts";
import { type Migrated, migratedPostgres } from "../store/migrated.ts";

export const writeKey = "write-key-0123456789abcdef0123456789";
export const readKey = "read-key-0123456789abcdef0123456789a";
export const month = "2026-11";

export const admin = {
  write_keys: [{ id: "tf", key: writeKey }],
  read_keys: [{ id: "rd", key: readKey }],
  admin_groups: ["platform-finops"],
};

export const organization = { type: "organization" };
export const person = (id: string) => ({ type: "user", user_id: id });
export const group = (id: string) => ({ type: "rbac_group", rbac_group_id: id });

export const sessionsAt = (now: () => number) =>
  createSessions({
    secrets: ["0123456789abcdef0123456789abcdef"],
    issuer: undefined,
    ttlSeconds: 3600,
    endings: nothingEnded,
    now,
  });

export type Answered = { status: number; headers: Headers; json: any };
type Ask = { method?: string; key?: string; bearer?: string; body?: unknown };

export type Scene = {
  database: Migrated;
  /** Of the path below the admin API's; with the write key unless told otherwise. A body that is no text is sent as JSON. */
  ask(below: string, options?: Ask): Promise<Answered>;
  post(body: unknown, options?: Ask): Promise<Answered>;
  bearerOf(sub: string, groups: string[]): Promise<string>;
  url: string;
  /** Lines of stderr since the last call of this or of `events`. */
  lines(): string[];
  /** The audit events among them. */
  events(): any[];
  /** Deletes every row, and forgets what was logged. */
  empty(): Promise<void>;
  close(): Promise<void>;
};

export type SceneOptions = {
  effective?: (search: URLSearchParams) => Promise<object>;
  /** Stands between the API and the real store. */
  limits?: (real: LimitsStore) => LimitsStore;
};

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const now = () => Date.parse(`${month}-22T12:00:00Z`);
  const database = await migratedPostgres();
  const sessions = sessionsAt(now);
  const limits = createLimitsStore(database.query);
  const api = createAdminApi({
    admin,
    sessions,
    limits: options.limits?.(limits) ?? limits,
    effective: options.effective ?? (async () => ({ data: [], next_page: null })),
    now,
  });
  const router = createRouter({ open: {}, below: { [adminPath]: api }, signedIn: {} }, async () => {
    throw new ApiError("authentication_error", "invalid token");
  });
  const server = listen({
    listen: { host: "127.0.0.1", port: 0 },
    limits: { max_request_bytes: 32 * 1024 * 1024 },
    tls: undefined,
    admission: createAdmission({
      access_control: { allow_cidrs: [], deny_cidrs: [] },
      listen: { trusted_proxies: [] },
    } as unknown as Parameters<typeof createAdmission>[0]),
    handler: () => router,
  });

  const directory = mkdtempSync(join(tmpdir(), "admin-api-"));
  const logPath = join(directory, "stderr");
  const file = openSync(logPath, "w");
  setLogDescriptor(file);
  setLogLevel("info");
  let linesRead = 0;

  function lines(): string[] {
    flushLog();
    const all = readFileSync(logPath, "utf8").split("\n").slice(0, -1);
    const fresh = all.slice(linesRead);
    linesRead = all.length;
    return fresh;
  }

  async function ask(below: string, { method = "GET", key, bearer, body }: Ask = {}) {
    const given = key ?? (bearer === undefined ? writeKey : "");
    const response = await fetch(`${server.url}${adminPath}${below}`, {
      method,
      headers: {
        ...(given !== "" && { "x-api-key": given }),
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      json: text === "" ? undefined : JSON.parse(text),
    };
  }

  return {
    database,
    ask,
    post: (body, more) => ask("", { method: "POST", body, ...more }),
    bearerOf: async (sub, groups) => (await sessions.mint({ sub, groups })).accessToken,
    url: server.url,
    lines,
    events: () =>
      lines()
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    async empty() {
      await database.query`delete from spend_limits`;
      await database.query`delete from admin_audit`;
      await database.query`delete from pooled_spend`;
      lines();
    },
    async close() {
      await server.drain(1_000);
      await database.close();
      setLogDescriptor(stderr);
      setLogLevel("error"); // As support/quiet.ts has it.
      closeSync(file);
      rmSync(directory, { recursive: true });
    },
  };
}

export const idsOf = ({ json }: Answered): string[] =>
  json.data.map(({ id }: { id: string }) => id);

/** A refusal of this API: status, type and message, the request id last in the body and in its header. */
export function expectError(answered: Answered, wanted: [number, string, string]): void {
  const { status, json, headers } = answered;
  expect([status, json.error.type, json.error.message]).toEqual(wanted);
  expect(Object.keys(json)).toEqual(["type", "error", "request_id"]);
  expect(json.request_id).toMatch(/^req_[0-9a-f]{32}$/);
  expect(headers.get("request-id")).toBe(json.request_id);
}
