// The IdP's userinfo endpoint (OpenID Connect Core §5.3): claims for an access token, of the person we already know.
import * as oauth from "oauth4webapi";
import { asResponse, failureKind, readAnswer, unavailableUnlessSaid } from "./answer.ts";
import type { Claims } from "./claims.ts";
import { IdpError } from "./identity.ts";
import type { RelyingParty } from "./relying-party.ts";

/**
 * Asks for the claims. With `expectedSub`, an answer about anybody else is refused: it may be somebody else's access token
 * (§5.3.2). Throws IdpError at step `userinfo`.
 */
export function readUserinfo(
  party: RelyingParty,
  accessToken: string,
  signal: AbortSignal,
  expectedSub?: string,
): Promise<Claims> {
  const { metadata, client, request } = party;
  return unavailableUnlessSaid("userinfo", async () => {
    if (!metadata.userinfo_endpoint) throw new Error("the IdP has no userinfo_endpoint");
    const response = await oauth.userInfoRequest(metadata, client, accessToken, {
      ...request,
      signal,
    });
    const answer = await readAnswer(response, [accessToken]);
    const { status, body, error, errorDescription, failure } = answer;
    if (status !== 200) {
      const kind = failureKind(answer);
      throw new IdpError(failure, { step: "userinfo", kind, error, errorDescription });
    }
    if (!body) throw new Error("the userinfo answer is not a JSON object");
    const expected = expectedSub ?? oauth.skipSubjectCheck;
    return oauth
      .processUserInfoResponse(metadata, client, expected, asResponse(body))
      .catch((cause: unknown) => {
        const message = "userinfo sub missing or does not match id_token sub";
        throw new IdpError(message, { step: "userinfo", kind: "refused", cause });
      });
  });
}
