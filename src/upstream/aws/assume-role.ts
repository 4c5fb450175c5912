// A role that the gateway assumes at AWS's Security Token Service for an upstream: one session for all developers, or one for
// each, so that CloudTrail and IAM tell them apart. The keys that assume it are credentials.ts's.
import { createHash } from "node:crypto";
import type { UpstreamOf } from "../../config/schema.ts";
import type { Outbound } from "../../http/outbound.ts";
import type { Principal } from "../../session.ts";
import { areStaleKeys, type AwsKeys, causeOf, loadSdk, renewableKeys } from "./credentials.ts";
import { createSdkRequestHandler } from "./sdk-http.ts";
import { createCredential, type Credential, type Renewable } from "../credential.ts";
import { PrincipalUnfitError } from "../upstream.ts";

export type AssumeRole = NonNullable<UpstreamOf<"bedrock">["assume_role"]>;

export type RoleSessionOptions = {
  /** What it is for, in messages: `upstream 'bedrock'`. */
  readonly owner: string;
  /** The way to AWS. */
  readonly fetch: Outbound;
  /** Whose regional STS endpoint is asked. */
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Developers whose sessions are kept; of more, those seen last. */
  readonly sessionsMax?: number;
};

const sharedSessionName = "claude-apps-gateway";

/** RoleSessionName of AssumeRole: 2 to 64 characters of `[\w+=,.@-]`. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const sessionNameMin = 2;
const sessionNameMax = 64;

/** Hex digits of a SHA-256 that tell names apart which are too long: 80 bits. */
const hashLength = 20;

/** Attempts at STS, the first included; the time for all of them is bounded in credential.ts. */
const stsAttempts = 2;

/**
 * The credential of a principal's session, which lasts an hour.
 *
 * Never the gateway's own keys: a request that cannot go out as the role does not go out. The endpoint is the region's own;
 * `AWS_USE_FIPS_ENDPOINT` and `AWS_ENDPOINT_URL_STS` count as with every AWS SDK.
 *
 * @param source the keys that assume the role.
 * @returns a function that throws PrincipalUnfitError for a principal without the claim that names its session.
 */
export function createRoleSessions(
  role: AssumeRole,
  source: Credential<AwsKeys>,
  { owner, region, fetch, now, sessionsMax = 10_000 }: RoleSessionOptions,
): (principal: Principal) => Credential<AwsKeys> {
  const sessions = new Map<string, Credential<AwsKeys>>();
  const loading = loadSdk();

  function sessionNamed(name: string): Credential<AwsKeys> {
    const session =
      sessions.get(name) ??
      createCredential((signal) => assume(name, signal), {
        owner: `${owner}, session ${name}`,
        now,
      });
    // The one used longest ago is the first of the map.
    sessions.delete(name);
    sessions.set(name, session);
    if (sessions.size > sessionsMax) sessions.delete(sessions.keys().next().value ?? "");
    return session;
  }

  async function assume(name: string, signal: AbortSignal): Promise<Renewable<AwsKeys>> {
    const { fromTemporaryCredentials } = await loading;
    const masterCredentials = await source.get();
    // An STS client for each session and hour: kept, one takes 100 KB. Without DurationSeconds it is AWS's hour, and a trust
    // policy that looks at that parameter has nothing to refuse.
    const session = fromTemporaryCredentials({
      masterCredentials,
      params: {
        RoleArn: role.role_arn,
        RoleSessionName: name,
        ...(role.external_id !== undefined && { ExternalId: role.external_id }),
      },
      clientConfig: {
        region,
        maxAttempts: stsAttempts,
        requestHandler: createSdkRequestHandler(fetch, signal),
      },
    });
    try {
      return renewableKeys(await session(), null);
    } catch (error) {
      if (error instanceof Error && areStaleKeys(error.name)) source.refused(masterCredentials);
      throw explained(error);
    }
  }

  function explained(error: unknown): Error {
    return new Error(
      `sts:AssumeRole on ${role.role_arn} failed, and the gateway's own credentials are not used instead. Check that the ` +
        "gateway's AWS identity may call sts:AssumeRole on that role, that the role's trust policy trusts it, with the same " +
        `external id if it asks for one, and that STS in ${region} can be reached: ${causeOf(error)}`,
      { cause: error },
    );
  }

  return (principal) => sessionNamed(sessionNameOf(role, principal, owner));
}

/**
 * What the session is called in CloudTrail. Bytes of characters that STS does not take, and of `=`, become `=XX`; a name that is
 * too long is cut and ends in `=-` and a hash. No other name holds that, and no two developers share one.
 */
function sessionNameOf(role: AssumeRole, principal: Principal, owner: string): string {
  const claim = role.session_name;
  if (claim === undefined) return sharedSessionName;
  const value = principal[claim] ?? "";
  // Halves of surrogate pairs have no bytes of their own: two such names could become one.
  if (value.length < sessionNameMin || !value.isWellFormed()) {
    throw new PrincipalUnfitError(
      `${owner}: sub=${principal.sub} has no usable ${claim} claim for assume_role.session_name (set session_name: sub, or ` +
        "oidc.email_claim); request not sent",
    );
  }
  const name = value.replaceAll(/[^A-Za-z0-9_+,.@-]/gu, escaped);
  if (name.length <= sessionNameMax) return name;
  const hash = createHash("sha256").update(value).digest("hex").slice(0, hashLength);
  return `${name.slice(0, sessionNameMax - hashLength - 2)}=-${hash}`;
}

function escaped(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}
