// Who a person is, in the labels that Claude Desktop puts on the telemetry it exports. Claude Code derives its own from its
// bearer.
import { isLabelValue, isShortLabelValue } from "../config/telemetry-checks.ts";
import type { Principal } from "../session.ts";

/**
 * The labels, in the order in which they are served, values as they are. One that stores would cut, or that would read as
 * something else in a list of labels, is left out whole: half a list of groups is a wrong one.
 */
export function identityAttributesOf({
  sub,
  email,
  groups,
}: Pick<Principal, "sub" | "email" | "groups">): Record<string, string> {
  const groupList = groups.join(",");
  const areGroupsPlain = groupList !== "" && !groups.some((group) => /[,=]/.test(group));
  return {
    "enduser.id": email ?? sub,
    ...(email !== undefined && email !== "" && { "user.email": email }),
    ...(areGroupsPlain && isShortLabelValue(groupList) && { "user.groups": groupList }),
    ...(isLabelValue(sub) && { "enduser.sub": sub }),
  };
}
