// GET /managed/settings: the settings document of the person who asks. Documents, checksums and answers are made once at boot;
// a poll is a look-up and a comparison. What is in a document is put together in served-settings.ts.
import { createHash } from "node:crypto";
import { audit } from "../audit.ts";
import { describedVersion } from "../config/claude-code/settings.ts";
import type { SettingsDocument } from "../config/mapping.ts";
import { sortedJson } from "../config/sorted-json.ts";
import { notStored } from "../http/refusal.ts";
import type { HandlerFor } from "../http/router.ts";
import { log } from "../log.ts";
import type { Principal } from "../session.ts";
import type { Policies, Policy } from "./policy.ts";
import type { ServedSettings } from "./served-settings.ts";

/** Settings as they are sent. */
type Sent = { checksum: string; body: string; policyIndex: number | null; isEmpty: boolean };

/**
 * Tells a client that this answer is the gateway's own and not that of a proxy in between, and which release of Claude Code
 * the gateway's settings are those of.
 */
const versionHeader = { "x-cc-gateway-version": describedVersion };
const variesByClient = { vary: "User-Agent" };

const desktopEntryPoints: ReadonlySet<string> = new Set([
  "claude-desktop",
  "claude-desktop-3p",
  "local-agent",
]);

/** Group names in one line of the log. */
const loggedGroupsMax = 20;

/** The handler of GET /managed/settings. */
export function createManagedSettings(
  policies: Policies,
  settings: ServedSettings,
): HandlerFor<Principal> {
  const sent = new Map(
    [...policies.all, undefined].map((policy) => [policy, sentTo(policy, settings)]),
  );
  const nothing = policies.all.length === 0 ? "not configured" : "no policy matched";

  return ({ request, requestId }, principal) => {
    const policy = policies.of(principal);
    const answer = sent.get(policy);
    if (answer === undefined) {
      if (policies.all.length > 0) logUnmatched(principal, requestId);
      return none(nothing);
    }
    const reachesDesktop = policy?.reachesDesktop === true && !answer.isEmpty;
    if (!reachesDesktop && isDesktopSession(request.headers)) {
      log.info(
        `managed settings withheld from a Claude Desktop session for sub=${principal.sub}: ` +
          `they are not under code request_id=${requestId}`,
      );
      return none("not served to Claude Desktop sessions");
    }
    const asked = request.headers.get("if-none-match")?.trim();
    if (asked === "*" && policy?.isForEverySession === true) {
      log.info(
        `a Code tab of Claude Desktop does not start for sub=${principal.sub}: its machine does not take this gateway's settings, ` +
          `which stand under code; name the gateway in forceLoginGatewayUrl of that machine's managed settings request_id=${requestId}`,
      );
      return mustNotBeMissing();
    }
    const etag = `"${answer.checksum}"`;
    if (asked === etag) {
      return new Response(null, { status: 304, headers: { ...versionHeader, ...variesByClient } });
    }
    audit({
      evt: "managed.serve",
      request_id: requestId,
      sub: principal.sub,
      email: principal.email,
      policy_index: answer.policyIndex,
      checksum: answer.checksum,
    });
    return new Response(answer.body, {
      headers: {
        ...versionHeader,
        ...variesByClient,
        etag,
        "content-type": "application/json;charset=utf-8",
      },
    });
  };
}

/**
 * Whether a request comes from a session inside Claude Desktop, by the entry point that Claude Code names first in its
 * `User-Agent`: `claude-cli/2.1.330 (external, claude-desktop)`.
 */
function isDesktopSession(headers: Headers): boolean {
  const [, comment = ""] =
    /^claude-(?:cli|code)\/\S+ \(([^)]*)\)/.exec(headers.get("user-agent") ?? "") ?? [];
  return comment.split(",").some((item) => desktopEntryPoints.has(item.trim()));
}

/**
 * The answer to `If-None-Match: *`, by which a Code tab whose machine does not take our settings asks whether there are any:
 * there are, and it is not to start without them.
 */
function mustNotBeMissing(): Response {
  return new Response(null, {
    status: 304,
    headers: { ...versionHeader, ...variesByClient, ...notStored },
  });
}

/** `sha256:` and the hex SHA-256 of the settings as one text, which a client computes in the same way. */
export function checksumOf(settings: SettingsDocument): string {
  return `sha256:${createHash("sha256").update(sortedJson(settings)).digest("hex")}`;
}

function sentTo(policy: Policy | undefined, settings: ServedSettings): Sent | undefined {
  const document = settings.of(policy);
  if (document === undefined) return undefined;
  const checksum = checksumOf(document);
  return {
    checksum,
    body: JSON.stringify({ uuid: checksum, checksum, settings: document }),
    policyIndex: policy?.index ?? null,
    isEmpty: Object.keys(document).length === 0,
  };
}

function logUnmatched({ sub, groups }: Principal, requestId: string): void {
  const more = groups.length > loggedGroupsMax ? `,… ${groups.length} in all` : "";
  const named = groups.length === 0 ? "none" : groups.slice(0, loggedGroupsMax).join(",") + more;
  log.warn(`no managed policy matched for sub=${sub} (groups: ${named}) request_id=${requestId}`);
}

function none(why: string): Response {
  return new Response(why, {
    status: 404,
    headers: {
      ...versionHeader,
      ...variesByClient,
      ...notStored,
      "content-type": "text/plain;charset=utf-8",
    },
  });
}
