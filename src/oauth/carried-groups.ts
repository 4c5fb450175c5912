// Which of somebody's groups a bearer carries. All of them as a rule. A person may be in thousands, and a bearer goes with every
// request, through proxies that take headers of 8 KB: of so many, it carries those on which something depends, and others while
// there is room. Which groups somebody is in, and who may sign in, is idp/'s.
import type { Identity, IdentityProvider, IdpGrant } from "../idp/identity.ts";
import { IdpError } from "../idp/provider.ts";
import { type log, messageOf } from "../log.ts";
import type { StandingsStore } from "../store/standings.ts";
import { storable } from "../store/stored-text.ts";

/** Bytes of JSON up to which all groups are carried. With the rest of a bearer, in base64, that is some 6 KB. */
export const carriedBytesMax = 4 * 1024;

/** Bytes of JSON that the groups may have on which something depends. In base64 they are 22 KB. */
export const decisiveBytesMax = 16 * 1024;

/**
 * The same identity provider, whose identities have no more groups than a bearer can carry. Those that `isNamed` or have a cap
 * are kept; both verbs throw IdpError, kind `refused`, when even these are too many, because leaving one out could mean a looser
 * policy or limit. While the caps cannot be asked for, as many as can be carried at all are.
 * @param options.isNamed whether the configuration names a group
 * @param options.standings undefined where no spend is counted; asked only when not all groups fit
 */
export function withCarriedGroups(
  identityProvider: IdentityProvider,
  options: {
    isNamed: (group: string) => boolean;
    standings: Pick<StandingsStore, "read"> | undefined;
    log: Pick<typeof log, "info" | "warn">;
  },
): IdentityProvider {
  async function carried({ identity, ...grant }: IdpGrant): Promise<IdpGrant> {
    const { groups } = identity;
    if (groups === undefined || jsonBytes(groups) <= carriedBytesMax) return { ...grant, identity };
    const capped = await cappedAmong(groups);
    const isDecisive = (group: string) => options.isNamed(group) || capped?.has(storable(group));
    const kept = chosen(groups, isDecisive, capped ? carriedBytesMax : decisiveBytesMax);
    if (kept === undefined) throw tooMany(groups.filter(isDecisive).length);
    options.log.info(
      `the bearer of ${identity.sub} carries ${kept.length} of ${groups.length} groups: those that the configuration or a ` +
        "spend limit names, and others while there is room",
    );
    return { ...grant, identity: { ...identity, groups: kept } satisfies Identity };
  }

  /**
   * Of all that there are in the store, and not only of those that are known here: nobody asked for these groups before.
   * Undefined when it cannot be asked. That fails nobody: the IdP may just have replaced a refresh token, which would be lost.
   */
  async function cappedAmong(groups: readonly string[]): Promise<ReadonlySet<string> | undefined> {
    if (options.standings === undefined) return new Set();
    try {
      const asked = { ...nothingElse, groups: groups.map(storable) };
      const { caps } = await options.standings.read(asked);
      return new Set(
        caps.filter(({ scope_type }) => scope_type === "rbac_group").map((cap) => cap.scope_id),
      );
    } catch (error) {
      options.log.warn(`which of very many groups have a spend limit: ${messageOf(error)}`);
      return undefined;
    }
  }

  return {
    ...identityProvider,
    redeem: async (callback, attempt) => carried(await identityProvider.redeem(callback, attempt)),
    renew: async (refreshToken, expected, asking) =>
      carried(await identityProvider.renew(refreshToken, expected, asking)),
  };
}

/**
 * Every decisive group, and of the others, from the first on, each that still fits, in the order in which they came. Undefined
 * when the decisive ones alone are too many. @param bytesMax of all together, where the decisive ones leave room
 */
export function chosen(
  groups: readonly string[],
  isDecisive: (group: string) => boolean | undefined,
  bytesMax = carriedBytesMax,
): string[] | undefined {
  const all = [...new Set(groups)];
  const decisive = new Set(all.filter(isDecisive));
  let bytes = jsonBytes([...decisive]);
  if (bytes > decisiveBytesMax) return undefined;
  return all.filter((group) => {
    if (decisive.has(group)) return true;
    const more = jsonBytes(group) + comma;
    if (bytes + more > bytesMax) return false;
    bytes += more;
    return true;
  });
}

const comma = 1;
const nothingElse = { principals: [], sessions: [], periods: [], month: "", writer: "" };

function jsonBytes(value: string | readonly string[]): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function tooMany(count: number): IdpError {
  return new IdpError(
    `the person is in ${count} groups that the configuration or a spend limit names, more than a bearer can carry`,
    {
      step: "admission",
      kind: "refused",
      forPerson:
        "You are in more groups that decide what you may use here than a sign-in can carry. Ask your administrator to " +
        "take you out of some.",
    },
  );
}
