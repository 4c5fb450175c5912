// Groups in Microsoft Entra that an id_token leaves out because there are too many (over 200: the overage claim). Microsoft
// Graph lists them to the person's own access token. The endpoint that the claim names is not called: it belongs to the
// retired Azure AD Graph. Policies name these groups by object id, as in the claim.
import type { Egress } from "../http/egress.ts";
import { isObject, isText } from "./answer.ts";
import { askDirectory, type Directory, readPages } from "./directory.ts";
import type { ProviderMetadata } from "./discovery.ts";

/**
 * https://learn.microsoft.com/en-us/graph/api/user-list-transitivememberof: groups within groups count, as in the claim, and
 * User.Read is enough to read ids. Not narrowed to groups by a cast, for which Graph would use an index that lags behind.
 */
const path = "/v1.0/me/transitiveMemberOf?$select=id&$top=999";
const groupType = "#microsoft.graph.group";

const name = "Microsoft Graph";
const advice =
  "grant the application the delegated permission User.Read of Microsoft Graph, add User.Read to oidc.scopes, and ask for no other API's scopes there";

/** Asks nobody yet. Throws an Error when the discovery document's msgraph_host is not a host. */
export function openEntraGroups(
  { msgraph_host: host = "graph.microsoft.com" }: Pick<ProviderMetadata, "msgraph_host">,
  { egress }: { egress: Egress },
): Directory {
  const first = URL.parse(path, `https://${host}`);
  // What is more than a host (a path, credentials) does not survive as one.
  if (first?.host !== host.toLowerCase())
    throw new Error("oidc.entra_groups: msgraph_host of the discovery document is not a host");

  return {
    groupsOf({ accessToken }, until) {
      const readPage = async (url: URL, signal: AbortSignal) => {
        const body = await askDirectory({ name, url, accessToken, signal, egress, advice });
        return { groups: groupIdsIn(body.value), next: nextPage(first, body["@odata.nextLink"]) };
      };
      return readPages("entra_groups", first, readPage, until);
    },
  };
}

/** Ids of the groups among what a person is a member of; the rest are directory roles and administrative units. */
function groupIdsIn(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error("Microsoft Graph's answer is not a list");
  const members: readonly unknown[] = value;
  return members.flatMap((member) => {
    if (!isObject(member) || !isText(member.id))
      throw new Error("Microsoft Graph lists a member without an id");
    const type = member["@odata.type"];
    // What does not say what it is counts as a group: one that is missing could mean a looser policy.
    return type === undefined || type === groupType ? [member.id] : [];
  });
}

/** Where the list goes on. The access token goes to no other origin than the one that was asked first. */
function nextPage(first: URL, link: unknown): URL | undefined {
  if (link === undefined) return undefined;
  const next = typeof link === "string" ? URL.parse(link) : null;
  if (next?.origin !== first.origin)
    throw new Error(`Microsoft Graph names a next page outside of ${first.origin}`);
  return next;
}
