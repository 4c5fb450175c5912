// Groups in Google Workspace. Google's id_tokens list none, so its directory is asked (Admin SDK, Directory API), by the
// person's e-mail address and as an administrator (google-delegation.ts). Policies name these groups by their addresses.
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { isObject, isText } from "./answer.ts";
import { isPlainAddress } from "../config/email-domain.ts";
import { askDirectory, type Directory, readPages } from "./directory.ts";
import { openDelegation } from "./google-delegation.ts";
import { IdpError } from "./identity.ts";

/** https://developers.google.com/workspace/admin/directory/reference/rest/v1/groups/list: groups of one direct member. */
const groupsUrl = "https://admin.googleapis.com/admin/directory/v1/groups";
/** The most groups that Google puts into one page. */
const pageSize = 200;

/**
 * Reads the key file, and asks nobody yet. Throws an Error that names the setting.
 *
 * @param deps.now milliseconds since the epoch
 */
export async function openGoogleGroups(
  settings: NonNullable<OidcConfig["google_groups"]>,
  deps: { egress: Egress; now: () => number },
): Promise<Directory> {
  const { egress } = deps;
  const delegation = await openDelegation(settings, deps);

  async function ask(url: URL, signal: AbortSignal): Promise<Record<string, unknown>> {
    const accessToken = await delegation.accessToken();
    return askDirectory({
      name: "directory API",
      url,
      accessToken,
      signal,
      egress,
      advice: delegation.advice,
      onRefusedToken: () => delegation.refused(accessToken),
    });
  }

  return {
    async groupsOf({ email }, until) {
      if (email === undefined)
        throw refused(
          "oidc.google_groups is configured but the id_token has no email — check oidc.email_claim and that the email scope is requested",
        );
      // Google would take an id here, too, and answer for somebody else.
      if (!isPlainAddress(email))
        throw refused(
          "oidc.google_groups is configured but the email of the id_token is not one plain address — check oidc.email_claim",
        );
      const first = new URL(groupsUrl);
      first.searchParams.set("userKey", email);
      first.searchParams.set("maxResults", String(pageSize));
      const readPage = async (url: URL, signal: AbortSignal) => {
        const body = await ask(url, signal);
        return { groups: addressesIn(body.groups), next: nextPage(first, body.nextPageToken) };
      };
      return readPages("google_groups", first, readPage, until);
    },
  };
}

function refused(message: string): IdpError {
  return new IdpError(message, { step: "directory", kind: "refused" });
}

/**
 * Addresses in lower case, which is how policies write them. Google leaves the list out where it is empty. A group without an
 * address is not skipped: it may be the one that matters.
 */
function addressesIn(groups: unknown): string[] {
  if (groups === undefined) return [];
  const listed: readonly unknown[] = Array.isArray(groups) ? groups : [groups];
  return listed.map((group) => {
    if (!isObject(group) || !isText(group.email))
      throw new Error("Google's directory lists a group without an address");
    return group.email.toLowerCase();
  });
}

function nextPage(first: URL, token: unknown): URL | undefined {
  if (token === undefined || token === "") return undefined;
  if (!isText(token)) throw new Error("Google's directory names a next page that is no text");
  const next = new URL(first);
  next.searchParams.set("pageToken", token);
  return next;
}
