// POST /v1/organizations/sign_outs: an administrator signs somebody out everywhere, on every replica, whatever they hold. Who may
// is as for the spend limits beside it, and so is the trail. What it does is in endings/endings.ts.
import { audit } from "../../audit.ts";
import type { AdminConfig } from "../../config/admin-schema.ts";
import type { Endings } from "../../endings/endings.ts";
import { ApiError } from "../../http/errors.ts";
import type { Handler } from "../../http/router.ts";
import { log, messageOf } from "../../log.ts";
import type { Sessions } from "../../session.ts";
import type { EndingsStore } from "../../store/endings.ts";
import { type AdminRequest, bodyOf, createAdminDoor, requireWrite } from "./admin-door.ts";
import { asName, type Fields, fieldsOf, isGiven } from "./body-fields.ts";

/** Where the handler belongs. */
export const signOutsPath = "/v1/organizations/sign_outs";

/** People of one e-mail address: the same person as several identity providers, or several clients of one, know them. */
const peopleMax = 100;

const retryAfterSeconds = "5";

/**
 * Takes `{"user_id": …}`, the `sub` of somebody, known here or not, or `{"email": …}`, of whoever made requests under that address
 * lately, and answers with whom it signed out. Such an address as `user_id` is refused, unless it is their `sub`. Asking again signs out again whoever signed in in between. 404 for an address
 * that nobody has; 503 when it holds here only, for now, because it could not be recorded: it is tried again until it is.
 */
export function createSignOuts(deps: {
  admin: Pick<AdminConfig, "write_keys" | "read_keys" | "admin_groups">;
  sessions: Pick<Sessions, "authenticate">;
  endings: Pick<Endings, "endPrincipals">;
  store: Pick<EndingsStore, "principalsWithEmail">;
}): Handler {
  async function peopleWith(email: string): Promise<string[]> {
    let people: string[];
    try {
      people = await deps.store.principalsWithEmail(email, peopleMax + 1);
    } catch (error) {
      log.warn(`a sign-out by e-mail address failed: ${messageOf(error)}`);
      throw unavailable("email cannot be looked up now; user_id needs no look-up");
    }
    if (people.length === 0) {
      throw new ApiError(
        "not_found_error",
        "email: nobody with this address made a request lately; give their user_id",
      );
    }
    if (people.length <= peopleMax) return people;
    throw new ApiError(
      "invalid_request_error",
      `email: more than ${peopleMax} people have this address; give a user_id`,
    );
  }

  /** Nobody is signed out by an address that is taken for a `sub`, and whoever asked would not know. */
  async function checkIsNoEmail(user_id: string): Promise<void> {
    if (!user_id.includes("@")) return;
    const people = await deps.store
      .principalsWithEmail(user_id, peopleMax)
      .catch((): string[] => []);
    if (people.length === 0 || people.includes(user_id)) return;
    throw new ApiError(
      "invalid_request_error",
      "user_id: this is the e-mail address of somebody with another user_id; give it as email",
    );
  }

  async function signOut(people: readonly string[], { administrator, requestId }: AdminRequest) {
    const { actor } = administrator;
    const isRecorded = await deps.endings.endPrincipals(people, actor);
    const result = isRecorded ? "success" : "unrecorded";
    for (const target of people)
      audit({ evt: "admin.sign_out", result, request_id: requestId, actor, target });
    if (!isRecorded) {
      throw unavailable(
        "signed out at the replica that was asked, which tells the others as soon as it can write to the database",
      );
    }
    return { data: people.map((user_id) => ({ type: "sign_out", user_id })) };
  }

  return createAdminDoor(deps, async (asked) => {
    const { request, path } = asked.incoming;
    if (request.method !== "POST" || path !== signOutsPath)
      throw new ApiError("not_found_error", "not found");
    requireWrite(asked.administrator, "write:sign_outs");
    const { user_id, email } = fieldsOf(await bodyOf(request));
    checkOneIsGiven({ user_id, email });
    if (isGiven(email)) return signOut(await peopleWith(asName(email, "email")), asked);
    const sub = asName(user_id, "user_id");
    await checkIsNoEmail(sub);
    return signOut([sub], asked);
  });
}

function checkOneIsGiven({ user_id, email }: Fields): void {
  if (isGiven(user_id) !== isGiven(email)) return;
  throw new ApiError("invalid_request_error", "exactly one of user_id and email is required");
}

function unavailable(message: string): ApiError {
  return new ApiError("api_error", message, {
    status: 503,
    headers: { "retry-after": retryAfterSeconds },
  });
}
