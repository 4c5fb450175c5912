// A gateway with everything switched on, and requests that nobody sends: what each answer must be, and what must be true of the
// process afterwards. The fuzz tests (test/fuzz) make the requests.
import { expect } from "bun:test";
import { cloudAnswer } from "./clouds.ts";
import { everyProvider, modelOn, modelsOfEach, providers } from "./every-provider.ts";
import { openScene, type Scene, type Seen } from "./scene.ts";
import { adminKey } from "./spending.ts";

/** Milliseconds in which an answer must be there, on a machine that has much else to do. */
const answerMsMax = 10_000;

/** How many times as many runs as usual: `FUZZ_TIMES=100 bun test test/fuzz` for a soak. */
const times = Number(process.env["FUZZ_TIMES"] ?? 1);

/** For `fc.assert`, which prints the seed of a run that fails. */
export function runs(usual: number): { numRuns: number } {
  return { numRuns: Math.ceil(usual * times) };
}

export type Asked = {
  method?: string;
  /** With its query. */
  path: string;
  headers?: Bun.HeadersInit;
  body?: string | Uint8Array;
};

export type Answered = { status: number; headers: Headers; text: string };

export type Ordeal = {
  scene: Scene;
  /** What upstreams and collectors were sent since the last question. */
  seen: Seen[];
  /** Sends it, and checks that the answer is one that is documented. */
  ask: (asked: Asked) => Promise<Answered>;
  /** The same as a signed-in developer. */
  askAs: (asked: Asked) => Promise<Answered>;
  /** Checks that the process is the same, answers, and has had no fault. */
  stood: () => Promise<void>;
};

/** @param change edits the configuration before the gateway starts. */
export async function openOrdeal(change: (config: any) => void = () => undefined): Promise<Ordeal> {
  const scene = await openScene((config) => {
    const { base_url: url } = config.upstreams[0];
    config.upstreams = everyProvider(url);
    config.models = modelsOfEach;
    config.managed = {
      policies: [
        { match: { groups: ["interns"] }, code: { availableModels: [modelOn("bedrock")] } },
        { match: {}, code: { availableModels: providers.map(modelOn) } },
      ],
    };
    config.admin = { write_keys: [{ id: "ops", key: adminKey }], billing_group_tag: "team" };
    const signals = { metrics: true, logs: true, traces: true, requests: true };
    config.telemetry = { forward_to: [{ url, ...signals }], verify_identity: true };
    config.rate_limits = {
      device_authorization: { max: 1_000_000 },
      device_verify: { max: 1_000_000 },
    };
    change(config);
  });
  const { gateway, upstream } = scene;
  upstream.answer = (seen) => {
    if (seen.url.startsWith("/v1/") && !seen.url.startsWith("/v1/messages"))
      return new Response(null);
    return isJson(seen.body) ? cloudAnswer(seen, "answers") : refusal();
  };
  const authorization = `Bearer ${await scene.bearer({ sub: "ada", email: "ada@example.com", groups: ["eng"] })}`;

  async function ask({ method = "GET", path, headers, body }: Asked): Promise<Answered> {
    upstream.seen.splice(0);
    const response = await fetch(gateway.url + path, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(answerMsMax),
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body }),
    });
    const answered = {
      status: response.status,
      headers: response.headers,
      text: await response.text(),
    };
    requireDocumented(`${method} ${path.split("?")[0]}`, answered);
    return answered;
  }

  return {
    scene,
    seen: upstream.seen,
    ask,
    askAs: (asked) => ask({ ...asked, headers: withAuthorization(asked.headers, authorization) }),
    async stood() {
      const response = await fetch(`${gateway.url}/healthz`);
      expect([response.status, await response.text()]).toEqual([200, "ok"]);
      // There is nobody who would have started another one.
      expect(process.kill(gateway.pid, 0)).toBe(true);
      for (const line of gateway.stderr().split("\n")) {
        expect(line).not.toMatch(/^\s+at .+:\d+/);
        expect(line).not.toMatch(/\b(?:unhandled|uncaught|(?:Type|Range|Reference|Syntax)Error)/i);
      }
    },
  };
}

function withAuthorization(headers: Bun.HeadersInit | undefined, authorization: string): Headers {
  const all = new Headers(headers);
  all.set("authorization", authorization);
  return all;
}

export function isJson(body: Uint8Array | string): boolean {
  try {
    JSON.parse(Buffer.from(body as Uint8Array).toString());
    return true;
  } catch {
    return false;
  }
}

/** As a model API answers what is no JSON. */
function refusal(): Response {
  const error = { type: "invalid_request_error", message: "not JSON" };
  return Response.json({ type: "error", request_id: "req_1", error }, { status: 400 });
}

/** Which kind of words a path has for its refusals. */
const oauthPaths = /^POST \/oauth\/(?!callback)/;
const pages = /^(?:GET|POST) (?:\/|\/device|\/device\/deny|\/oauth\/callback)$/;
const documents = /^(?:GET|POST) \/(?:healthz|readyz|protocol|\.well-known\/\S+)$/;

/** No 500 among them: nothing that a request holds is a fault of ours. */
const apiStatuses = [200, 400, 401, 403, 404, 405, 413, 414, 429, 431, 501, 502, 529];
const apiErrors = [
  "invalid_request_error", "authentication_error", "permission_error", "not_found_error", "request_too_large",
  "rate_limit_error", "billing_error", "not_supported", "overloaded_error", "api_error",
]; // prettier-ignore

function requireDocumented(route: string, { status, headers, text }: Answered): void {
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("x-request-id")).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  if (oauthPaths.test(route)) return requireOAuth(route, status, text);
  if (pages.test(route)) return requirePage(route, status, headers, text);
  if (documents.test(route)) return expect([route, status]).toEqual([route, 200]);
  expect({ route, status, known: apiStatuses.includes(status) }).toMatchObject({ known: true });
  if (status < 400) return;
  expect(headers.get("content-type")).toStartWith("application/json");
  const { type, request_id, error, ...others } = JSON.parse(text) as Record<string, unknown>;
  expect({ type, request_id, error, others }).toEqual({
    type: "error",
    request_id: expect.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
    error: { type: expect.any(String), message: expect.stringMatching(/\S/) },
    others: {},
  });
  expect(apiErrors).toContain((error as { type: string }).type);
}

/** RFC 6749 §5.2 */
function requireOAuth(route: string, status: number, text: string): void {
  expect([route, [200, 400, 401, 413, 429].includes(status)]).toEqual([route, true]);
  if (status === 200) return;
  const { error, error_description, ...others } = JSON.parse(text) as Record<string, unknown>;
  expect({ error, others }).toEqual({ error: expect.stringMatching(/^[a-z_]+$/), others: {} });
  expect(["string", "undefined"]).toContain(typeof error_description);
}

function requirePage(route: string, status: number, headers: Headers, text: string): void {
  expect([route, [200, 302, 303, 400, 403, 413, 429].includes(status)]).toEqual([route, true]);
  if (status < 300) expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  if (status < 300) expect(text).toEndWith("</html>\n");
}
