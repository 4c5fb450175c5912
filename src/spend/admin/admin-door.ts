// What everything has in common that administrators call: who may come in, and how every answer looks. It has credentials,
// request ids and an envelope of its own, so it catches its refusals itself. What there is behind it is in admin-api.ts and
// sign-outs.ts.
import { audit } from "../../audit.ts";
import type { AdminConfig } from "../../config/admin-schema.ts";
import { ApiError } from "../../http/errors.ts";
import { refusalOf } from "../../http/refusal.ts";
import { discardBody, type Incoming } from "../../http/request.ts";
import type { Handler } from "../../http/router.ts";
import { log } from "../../log.ts";
import type { Sessions } from "../../session.ts";
import { type Administrator, createCredentials } from "./credentials.ts";

/** A request of somebody who may come in. */
export type AdminRequest = {
  readonly incoming: Incoming;
  readonly administrator: Administrator;
  readonly requestId: string;
};

const bodyBytesMax = 64 * 1024;

/** Longest path in an audit event or a line, in characters: whoever has no key should not fill the log. */
const loggedPathLengthMax = 512;

/**
 * Answers every request, refusals included, with `{type, error, request_id}` or what `answer` resolves with: 401 before anything
 * else is looked at. What goes wrong here is 500 and logged.
 * @param answer throws ApiError for what is refused
 */
export function createAdminDoor(
  deps: {
    admin: Pick<AdminConfig, "write_keys" | "read_keys" | "admin_groups">;
    sessions: Pick<Sessions, "authenticate">;
  },
  answer: (asked: AdminRequest) => Promise<object>,
): Handler {
  const credentials = createCredentials(deps.admin, deps.sessions);

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

  return async (incoming) => {
    const { request } = incoming;
    const path = incoming.path.slice(0, loggedPathLengthMax);
    const requestId = `req_${crypto.randomUUID().replaceAll("-", "")}`;
    const headers = { "request-id": requestId, "cache-control": "no-store" };
    let response: Response;
    try {
      const administrator = await administratorOf(incoming, requestId);
      response = Response.json(await answer({ incoming, administrator, requestId }), { headers });
    } catch (error) {
      const refused = refusalOf(error, requestId);
      const { status, type, message } = refused;
      const body = { type: "error", error: { type, message }, request_id: requestId };
      response = Response.json(body, { status, headers: { ...headers, ...refused.headers } });
      await discardBody(request);
    }
    log.info(`admin ${request.method} ${path} -> ${response.status} (${requestId})`);
    return response;
  };
}

/** @throws ApiError `permission_error` for a key that only reads; `right` is what it lacks. */
export function requireWrite(administrator: Administrator, right: string): void {
  if (administrator.mayWrite) return;
  throw new ApiError("permission_error", `requires ${right}`);
}

/** @throws ApiError `request_too_large` by its length, before it is read; the listener has made sure that it is given. */
export async function bodyOf(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length")) > bodyBytesMax) {
    throw new ApiError("request_too_large", "payload too large");
  }
  return request.text();
}
