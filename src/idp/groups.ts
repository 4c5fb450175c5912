// Which groups a person is in, and who says so: Google's directory where it is set, else the claims, else Microsoft Graph
// where Entra left them out of the claims. Groups that nobody can name refuse the sign-in: without them, a looser policy
// would apply. How claims are read is in claims.ts, how directories are asked in google-groups.ts and entra-groups.ts.
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { claimedGroups, type Claims } from "./claims.ts";
import type { Directory } from "./directory.ts";
import type { ProviderMetadata } from "./discovery.ts";
import { openEntraGroups } from "./entra-groups.ts";
import { openGoogleGroups } from "./google-groups.ts";
import { type Identity, IdpError } from "./identity.ts";

/** What the IdP's answer tells of a person. */
export type Told = {
  /** In order of precedence: id_token, then userinfo. */
  sources: readonly [Claims, ...Claims[]];
  /** A renewal may come without one (OpenID Connect Core §12.2). */
  hasIdToken: boolean;
  accessToken: string;
  /** When whoever waits for the groups gives up; a directory's own time otherwise. */
  signal?: AbortSignal;
};

/** Throws IdpError: at step `directory` as `Directory.groupsOf` does, or `refused` at `admission` when nobody is set to ask. */
export type GroupsOf = (person: Identity, told: Told) => Promise<string[]>;

/** Chooses by configuration. Throws an Error that names the setting when what a directory needs cannot be read. */
export async function openGroups(
  config: OidcConfig,
  metadata: ProviderMetadata,
  deps: { egress: Egress; now: () => number },
): Promise<GroupsOf> {
  if (config.google_groups) {
    const google = await openGoogleGroups(config.google_groups, deps);
    return ({ email }, { accessToken, signal }) => google.groupsOf({ email, accessToken }, signal);
  }
  const entra = config.entra_groups ? openEntraGroups(metadata, deps) : undefined;
  return async (person, told) => groupsClaimed(config, entra, person, told);
}

async function groupsClaimed(
  config: OidcConfig,
  entra: Directory | undefined,
  { email }: Identity,
  { sources, hasIdToken, accessToken, signal }: Told,
): Promise<string[]> {
  const claimed = claimedGroups(config, sources);
  // Entra's userinfo never lists groups: alone, it cannot say that there are none.
  if ("groups" in claimed && (hasIdToken || !entra)) return claimed.groups;
  if (entra) return entra.groupsOf({ email, accessToken }, signal);
  throw new IdpError(
    "the IdP left out this person's groups because there are too many (Entra group overage): set oidc.entra_groups: {} to read them from Microsoft Graph, or let the token carry only groups assigned to the application",
    { step: "admission", kind: "refused" },
  );
}
