// The admin API of the spend limits, under one path: which endpoint a request is for. Who may come in, and how it is answered, is
// in admin-door.ts; what the endpoints do in limit-endpoints.ts, trail.ts and effective.ts.
import type { AdminConfig } from "../../config/admin-schema.ts";
import { ApiError } from "../../http/errors.ts";
import type { Handler } from "../../http/router.ts";
import type { Sessions } from "../../session.ts";
import type { LimitsStore } from "../../store/limits.ts";
import { bodyOf, createAdminDoor, requireWrite } from "./admin-door.ts";
import { createLimitEndpoints } from "./limit-endpoints.ts";
import { createTrail } from "./trail.ts";

/** Where the handler belongs, with everything below it. */
export const adminPath = "/v1/organizations/spend_limits";

const right = "write:spend_limits";

/**
 * Answers every request at `adminPath` and below it: 404 for what does not exist, 403 for a change with a key that only reads,
 * 400 and 413.
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
  const limits = createLimitEndpoints(deps);
  const trail = createTrail(deps.limits);

  return createAdminDoor(deps, async ({ incoming, administrator, requestId }) => {
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
        requireWrite(administrator, right);
        return limits.put(await bodyOf(incoming.request), change);
      case "DELETE":
        if (below === "") break;
        requireWrite(administrator, right);
        return limits.remove(idIn(below), change);
    }
    throw new ApiError("not_found_error", "not found");
  });
}

/** The id that the rest of a path is, which begins with a slash. */
function idIn(below: string): string {
  try {
    return decodeURIComponent(below.slice(1));
  } catch {
    throw new ApiError("invalid_request_error", "malformed spend limit id");
  }
}
