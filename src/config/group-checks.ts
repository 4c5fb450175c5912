// Names of groups, wherever a configuration writes them: who may sign in, which upstreams serve whom, whom a policy is for, who
// may set caps. They are compared to the letter with what the IdP or a directory answers; a name that this can never be is a hole,
// since whoever was to be restricted by it falls to the next policy. What only looks unlikely is a warning
// (policy/match-warnings.ts).
import type { Partly } from "./pieces.ts";
import type { Finding, Path } from "./problems.ts";
import type { Written } from "./schema.ts";

/** A list of names, and where it stands. A name that has not its shape is undefined. */
export type GroupList = { path: Path; groups: readonly (string | undefined)[] };

type Groups = readonly (string | undefined)[] | undefined;

/** Every list of groups. `policyGroups` are those of each policy's `match`, in order. */
export function groupListsOf({
  oidc,
  upstreams = [],
  policyGroups,
  admin,
}: {
  oidc?: { readonly allowed_groups?: Groups } | undefined;
  upstreams?: readonly ({ readonly groups?: Groups } | undefined)[] | undefined;
  policyGroups: readonly Groups[];
  admin?: { readonly admin_groups?: Groups } | undefined;
}): GroupList[] {
  const lists: { path: Path; groups: Groups }[] = [
    { path: ["oidc", "allowed_groups"], groups: oidc?.allowed_groups },
    ...upstreams.map((upstream, index) => ({
      path: ["upstreams", index, "groups"],
      groups: upstream?.groups,
    })),
    ...policyGroups.map((groups, index) => ({
      path: ["managed", "policies", index, "match", "groups"],
      groups,
    })),
    { path: ["admin", "admin_groups"], groups: admin?.admin_groups },
  ];
  return lists.flatMap(({ path, groups }) => (groups === undefined ? [] : [{ path, groups }]));
}

/**
 * With `oidc.entra_groups`, groups that are no object ids. Who is in too many groups for a token has ids from Microsoft Graph: a
 * policy by name would fit everybody but those, who are in the most groups.
 */
export function checkGroups({ oidc, upstreams, managed, admin }: Partly<Written>): Finding[] {
  if (oidc?.entra_groups === undefined) return [];
  const policyGroups = (managed?.policies ?? []).map((policy) => policy?.match?.groups);
  return groupListsOf({ oidc, upstreams, policyGroups, admin }).flatMap(({ path, groups }) =>
    groups.flatMap((group, index) =>
      // That an empty name is none is said by others.
      group === undefined || group === "" || objectId.test(group)
        ? []
        : [
            {
              path: [...path, index],
              message:
                "must be the object id of a group, in lower case: oidc.entra_groups reads ids from Microsoft Graph",
            },
          ],
    ),
  );
}

/** As Microsoft Graph writes it. */
const objectId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
