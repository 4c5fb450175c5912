// Who a request is from, under the names that Claude Code has in its own telemetry, so that both can be joined. Claude Desktop's
// `enduser.sub` is `user.id` here.
import type { Principal } from "../../session.ts";
import type { RequestAttributes } from "./attributes.ts";
import { boundedText } from "./bounded-text.ts";

/** Most groups that are listed. */
const groupsMax = 64;

/** Principals are few and requests many: the same object stands for a bearer for as long as it is remembered. */
const known = new WeakMap<Principal, Readonly<RequestAttributes>>();

/** The attributes of a person. */
export function identityOf(principal: Principal): Readonly<RequestAttributes> {
  const before = known.get(principal);
  if (before !== undefined) return before;
  const attributes = asAttributes(principal);
  known.set(principal, attributes);
  return attributes;
}

function asAttributes({ sub, email, groups }: Principal): RequestAttributes {
  const isListed = groups.length > 0 && groups.length <= groupsMax;
  return {
    "user.id": boundedText(sub),
    ...(email !== undefined && email !== "" && { "user.email": boundedText(email) }),
    ...(isListed && { "user.groups": groups.map(boundedText).join(",") }),
    // Half a list of groups would be a wrong one.
    ...(groups.length > groupsMax && { "claude_gateway.group_count": groups.length }),
  };
}
