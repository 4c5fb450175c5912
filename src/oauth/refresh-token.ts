// The refresh tokens that clients hold: the identity provider's own, sealed together with whom and which session it was issued
// to, so that it never leaves the gateway in the clear. What they are used for is token.ts's, what ends them revocation.ts's.
import { refreshTokenTtlSeconds } from "../endings/endings.ts";
import { idOf, type Session } from "../endings/known-endings.ts";
import type { Expected } from "../idp/identity.ts";
import type { Sealed } from "../sealed.ts";

/** What a refresh token of ours holds, sealed. */
export type RefreshTokenContent = {
  idpRefreshToken: string;
  sub: string;
  /** What was known of the person when it was issued; absent from tokens that are older than this. */
  had?: Expected;
  /** Absent from tokens that are older than this. */
  session?: Session;
};

/** A refresh token, opened. */
export type RefreshToken = {
  readonly idpRefreshToken: string;
  /** Undefined for a bare one of the identity provider, of which nothing is known but what it says itself. */
  readonly sub: string | undefined;
  readonly had: Expected;
  readonly session: Session;
};

export type RefreshTokens = {
  /** A token that is good for `refreshTokenTtlSeconds`. */
  issue(content: Required<RefreshTokenContent>): Promise<string>;
  /** Undefined for one that looks like ours and was not issued under a current secret, or has expired. */
  open(refreshToken: string): Promise<RefreshToken | undefined>;
};

/** Tells our refresh tokens from the bare ones of an IdP, which clients that signed in at the reference still hold. */
const prefix = "gwr.";

export function createRefreshTokens(sealed: Sealed<RefreshTokenContent>): RefreshTokens {
  return {
    issue: async (content) => prefix + (await sealed.seal(content, refreshTokenTtlSeconds)),

    async open(refreshToken) {
      const content = refreshToken.startsWith(prefix)
        ? await sealed.open(refreshToken.slice(prefix.length))
        : { idpRefreshToken: refreshToken };
      return (
        content && {
          sub: undefined,
          had: { groups: true, email: true },
          // Whatever is issued for a token without a session is of one, so that all of it ends together.
          session: { id: idOf(content.idpRefreshToken), beganAtSeconds: 0 },
          ...content,
        }
      );
    },
  };
}
