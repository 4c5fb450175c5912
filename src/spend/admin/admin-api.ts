// The admin API of the spend limits, under one path: who may come in, which endpoint a request is for, and how it is answered.
// It has credentials, request ids and an envelope of its own, so it catches its refusals itself. What the endpoints do is in
// limit-endpoints.ts, trail.ts and effective.ts.
import { audit } from "../../audit.ts";
import type { AdminConfig } from "../../config/admin-schema.ts";
import { ApiError } from "../../http/errors.ts";
import { refusalOf } from "../../http/refusal.ts";
import { discardBody, type Incoming } from "../../http/request.ts";
import type { Handler } from "../../http/router.ts";
import { log } from "../../log.ts";
import type { Sessions } from "../../session.ts";
import type { LimitsStore } from "../../store/limits.ts";
import { type Administrator, createCredentials } from "./credentials.ts";
import { createLimitEndpoints } from "./limit-endpoints.ts";
import { createTrail } from "./trail.ts";

/** Where the handler belongs, with everything below it. */
export const adminPath = "/v1/organizations/spend_limits";

const bodyBytesMax = 64 * 1024;

/** Longest path in an audit event or a line, in characters: whoever has no key should not fill the log. */
const loggedPathLengthMax = 512;

/**
 * Answers every request at `adminPath` and below it, refusals included, with `{type, error, request_id}`: 401 before anything
 * else is looked at, then 404 for what does not exist, 403 for a change with a key that only reads, 400 and 413. What goes
 * wrong here is 500 and logged.
 * @param deps.effective answers `GET /effective`; throws ApiError for a parameter that is wrong
 * @param deps.now milliseconds since the epoch
 */
export function createAdminApi(deps: {
  admin: Pick<AdminConfig, "write_keys" | "read_keys" | "admin_groups">;
  sessions: Pick<Sessions, "authenticate">;
  limits: LimitsStore;
  effective: (search: URLSearchParams) => Promise<object>;
  now: () => number;
}): Handler {
  const credentials = createCredentials(deps.admin, deps.sessions);
  const limits = createLimitEndpoints(deps);
  const trail = createTrail(deps.limits);

  async function administratorOf(incoming: Incoming, requestId: string): Promise<Administrator> {
    const { headers, method } = incoming.request;
    const administrator = await credentials(headers);
    if (typeof administrator !== "string") return administrator;
    audit({
      evt: "admin.denied",
      request_id: requestId,
      reason: administrator,
      method,
      path: incoming.path.slice(0, loggedPathLengthMax),
      client_ip: incoming.clientIp,
    });
    throw new ApiError("authentication_error", "missing or invalid admin credentials");
  }

  async function answer(incoming: Incoming, requestId: string): Promise<object> {
    const administrator = await administratorOf(incoming, requestId);
    const change = { actor: administrator.actor, requestId };
    const below = incoming.path.slice(adminPath.length);
    const search = new URLSearchParams(incoming.search);
    switch (incoming.request.method) {
      case "GET":
        if (below === "") return limits.list(search);
        if (below === "/effective") return deps.effective(search);
        if (below === "/audit") return trail(search);
        return limits.read(idIn(below));
      case "POST":
        if (below !== "") break;
        requireWrite(administrator);
        return limits.put(await bodyOf(incoming.request), change);
      case "DELETE":
        if (below === "") break;
        requireWrite(administrator);
        return limits.remove(idIn(below), change);
    }
    throw new ApiError("not_found_error", "not found");
  }

  return async (incoming) => {
    const { request } = incoming;
    const path = incoming.path.slice(0, loggedPathLengthMax);
    const requestId = `req_${crypto.randomUUID().replaceAll("-", "")}`;
    const headers = { "request-id": requestId, "cache-control": "no-store" };
    let response: Response;
    try {
      response = Response.json(await answer(incoming, requestId), { headers });
    } catch (error) {
      const { status, type, message } = refusalOf(error, requestId);
      const body = { type: "error", error: { type, message }, request_id: requestId };
      response = Response.json(body, { status, headers });
      await discardBody(request);
    }
    log.info(`admin ${request.method} ${path} -> ${response.status} (${requestId})`);
    return response;
  };
}

function requireWrite(administrator: Administrator): void {
  if (administrator.mayWrite) return;
  throw new ApiError("permission_error", "requires write:spend_limits");
}

/** @throws ApiError `request_too_large` by its length, before it is read; the listener has made sure that it is given. */
async function bodyOf(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length")) > bodyBytesMax) {
    throw new ApiError("request_too_large", "payload too large");
  }
  return request.text();
}

/** The id that the rest of a path is, which begins with a slash. */
function idIn(below: string): string {
  try {
    return decodeURIComponent(below.slice(1));
  } catch {
    throw new ApiError("invalid_request_error", "malformed spend limit id");
  }
}
