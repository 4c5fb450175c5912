// POST /oauth/revoke (RFC 7009): clients call it at sign-out, with the bearer and then with the refresh token, and without
// authenticating. Either ends the session they are of, on every replica (endings/endings.ts).
import { audit } from "../audit.ts";
import type { Endings } from "../endings/endings.ts";
import { type Issued, issuedTo } from "../endings/known-endings.ts";
import { notStored, oauthError } from "../http/refusal.ts";
import { isForm, readForm } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import type { Sessions } from "../session.ts";
import type { RefreshTokens } from "./refresh-token.ts";

/** Seconds after which a client may ask again when it could not be recorded. */
const retryAfterSeconds = 5;

type Owned = { kind: "bearer" | "refresh_token"; sub: string; issued: Issued };

/**
 * Answers 200 with nothing, also for a token that is not ours, not valid any more, or ended already (RFC 7009 §2.2): nobody
 * learns from it which tokens are good. 503 `temporarily_unavailable` when the session has ended here and the others cannot be
 * told yet. `token_type_hint` is not needed to tell the tokens apart.
 *
 * A bare refresh token of the identity provider, as the reference hands out, ends nothing: it looks like any text, and nobody
 * may fill the store with those.
 */
export function createRevocation(deps: {
  sessions: Pick<Sessions, "issuedAs">;
  refreshTokens: Pick<RefreshTokens, "open">;
  endings: Pick<Endings, "hasEnded" | "endSession">;
}): Handler {
  const { sessions, refreshTokens, endings } = deps;

  async function ownerOf(token: string): Promise<Owned | undefined> {
    const bearer = await sessions.issuedAs(token);
    if (bearer !== undefined)
      return { kind: "bearer", sub: bearer.principal.sub, issued: bearer.issued };
    const { sub, session } = (await refreshTokens.open(token)) ?? {};
    if (sub === undefined || session === undefined) return undefined;
    return { kind: "refresh_token", sub, issued: issuedTo(sub, session) };
  }

  return async ({ request, requestId, clientIp }) => {
    if (!isForm(request))
      return oauthError(400, "invalid_request", "the body must be form-encoded");
    const token = (await readForm(request)).get("token");
    if (!token) return oauthError(400, "invalid_request", "token is required");

    const owned = await ownerOf(token);
    if (owned === undefined) return done();
    const { kind, sub, issued } = owned;
    const isNew = !endings.hasEnded(issued);
    const isRecorded = await endings.endSession(issued.id);
    if (isNew) {
      audit({
        evt: "session.revoke",
        result: isRecorded ? "success" : "unrecorded",
        token: kind,
        sub,
        request_id: requestId,
        client_ip: clientIp,
      });
    }
    if (isRecorded) return done();
    const refusal = oauthError(503, "temporarily_unavailable");
    refusal.headers.set("retry-after", String(retryAfterSeconds));
    return refusal;
  };
}

function done(): Response {
  return new Response(null, { status: 200, headers: notStored });
}
