// Request tags: labels that a client puts on a call (`"tags": {"<name>": "<value>"}`, announced by a beta). One of them may say
// which of the developer's groups a call is for. It is read here, and here all tags are taken out before any upstream: they are
// between the organisation's people, and some clouds refuse them.
//
// The one tag is called as the bearer says, which is what the client goes by, or else as `admin.billing_group_tag` does.
// Where neither names one, tags are the developer's own affair, and go to those upstreams that take them.
import { memberOf } from "../../config/mapping.ts";
import type { Principal } from "../../session.ts";
import { setBetas } from "./betas.ts";
import { fieldValue, type MessagesCall } from "./call.ts";
import { requestTagsBeta } from "./cloud-request.ts";
import { withoutField } from "./edit.ts";
import type { OutboundCall, Upstream } from "../upstream.ts";

/** Longest `tags` that is read, in bytes: it holds labels. */
const tagsBytesMax = 64 * 1024;

/**
 * The group that a call says it is for: one that the bearer lists; `"foreign"` when it names anything else, whatever it is.
 * Undefined when it names none.
 * @param configured `admin.billing_group_tag`
 */
export function billingGroupOf(
  call: MessagesCall,
  configured: string | undefined,
  { groups, billingGroupTag = configured }: Pick<Principal, "groups" | "billingGroupTag">,
): { group: string } | "foreign" | undefined {
  const { tags } = call.fields;
  if (tags === undefined || billingGroupTag === undefined) return undefined;
  if (tags.valueEnd - tags.valueStart > tagsBytesMax) return "foreign";
  const group = memberOf(fieldValue(call, "tags"), billingGroupTag);
  if (group === undefined) return undefined;
  return typeof group === "string" && groups.includes(group) ? { group } : "foreign";
}

/**
 * The upstream, which now never sees tags or their beta, on either path; all else of a call it sees as it was.
 * @param configured `admin.billing_group_tag`; without it only calls are changed whose bearer names a tag
 */
export function withoutTags(upstream: Upstream, configured: string | undefined): Upstream {
  const seen = (outbound: OutboundCall) =>
    (outbound.principal.billingGroupTag ?? configured) === undefined
      ? outbound
      : untagged(outbound);
  return {
    ...upstream,
    send: (outbound, signal) => upstream.send(seen(outbound), signal),
    ...(upstream.countInput !== undefined && {
      countInput: async (outbound, signal) => upstream.countInput?.(seen(outbound), signal),
    }),
  };
}

/** Costs nothing where there are none: the call is the very same. */
function untagged(outbound: OutboundCall): OutboundCall {
  const { call } = outbound;
  const headers = withoutTagsBeta(outbound.headers);
  if (call.fields.tags === undefined && headers === outbound.headers) return outbound;
  return { ...outbound, call: withoutField(call, "tags"), headers };
}

function withoutTagsBeta(headers: Headers): Headers {
  const betas = headers.get("anthropic-beta")?.split(",") ?? [];
  const others = betas.map((beta) => beta.trim()).filter((beta) => beta !== requestTagsBeta);
  if (others.length === betas.length) return headers;
  const changed = new Headers(headers);
  setBetas(changed, others);
  return changed;
}
