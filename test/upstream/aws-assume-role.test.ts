// Sessions of a role: what STS is asked, how the sessions are named, how long they serve, and what happens when there are none.
// STS is one on this machine (support/sts.ts) that checks signatures, and a proxy that sees which host would be asked.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type AssumeRole,
  createRoleSessions,
  type RoleSessionOptions,
} from "../../src/upstream/aws/assume-role.ts";
import type { Principal } from "../../src/session.ts";
import type { AwsKeys } from "../../src/upstream/aws/credentials.ts";
import { type Credential, CredentialError } from "../../src/upstream/credential.ts";
import { PrincipalUnfitError } from "../../src/upstream/upstream.ts";
import { fetchHere } from "../support/egress.ts";
import { clearAwsEnvironment } from "../support/aws-environment.ts";
import { rejection } from "../support/idp.ts";
import { awsHostsAsked } from "../support/proxy.ts";
import { roleArn, sourceKeys, startSts, stsRegion } from "../support/sts.ts";

clearAwsEnvironment();

const minuteMs = 60_000;
const sts = startSts();
const source: Credential<AwsKeys> = {
  get: () => Promise.resolve(sourceKeys),
  refused: () => undefined,
};
let nowMs = Date.now();

const createSessions = (
  role: Partial<AssumeRole> = {},
  options: Partial<RoleSessionOptions> = {},
  by = source,
) =>
  createRoleSessions({ role_arn: roleArn, ...role }, by, {
    fetch: fetchHere,
    owner: "upstream 'bedrock'",
    region: stsRegion,
    now: () => nowMs,
    ...options,
  });
/** The keys of a person's session. */
function sessionsOf(...given: Parameters<typeof createSessions>) {
  const sessionOf = createSessions(...given);
  return async (principal: Principal) => sessionOf(principal).get();
}
const person = (email: string | undefined, sub = "ada") => ({
  sub,
  email,
  name: undefined,
  groups: [],
});
const ada = person("ada@example.com");
const names = () => sts.asked.map(({ RoleSessionName }) => RoleSessionName);

beforeEach(() => {
  nowMs = Date.now();
  process.env["AWS_ENDPOINT_URL_STS"] = sts.url;
  Object.assign(sts, { lifeSeconds: 3600, externalId: undefined, instead: undefined });
  sts.asked.length = 0;
});
afterAll(() => sts.stop());

describe("STS is asked", () => {
  test("for the role, signed with the gateway's keys, and for AWS's hour by saying nothing of it", async () => {
    expect(await sessionsOf()(ada)).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA\d+$/),
      secretAccessKey: expect.stringMatching(/^secret-\d+$/),
      sessionToken: expect.stringMatching(/^token\/\d+==$/),
    });
    expect(sts.asked).toEqual([
      {
        Action: "AssumeRole",
        Version: "2011-06-15",
        RoleArn: roleArn,
        RoleSessionName: "claude-apps-gateway",
      },
    ]);
  });

  test("with the external id that the role's trust policy wants", async () => {
    sts.externalId = "corp:claude/1";
    expect(await rejection(sessionsOf()(ada))).toBeInstanceOf(CredentialError);
    await sessionsOf({ external_id: "corp:claude/1" })(ada);
    expect(sts.asked.at(-1)).toMatchObject({ ExternalId: "corp:claude/1" });
  });

  test.each([
    ["in the region of the upstream", {}, ["us-east-1", "us-gov-west-1"], "sts."],
    ["at its FIPS endpoint", { AWS_USE_FIPS_ENDPOINT: "true" }, ["us-east-1"], "sts-fips."],
  ])("%s, through the proxy of the environment", async (_, env, regions, prefix) => {
    const hosts = regions.map((region) => `${prefix}${region}.amazonaws.com`);
    expect(await awsHostsAsked(["sts", ...regions], env)).toEqual(hosts);
  });
});

describe("a session's name", () => {
  test.each([
    ["ada@example.com", "ada@example.com"],
    ["o'neil+x=y,z@Éx.com", "o=27neil+x=3Dy,z@=C3=89x.com"],
    ["日本/%=@x.com", "=E6=97=A5=E6=9C=AC=2F=25=3D@x.com"],
    ["👩‍💻@x.com", "=F0=9F=91=A9=E2=80=8D=F0=9F=92=BB@x.com"],
    ["a_b-c.d@x", "a_b-c.d@x"],
    ["a".repeat(64), "a".repeat(64)],
    [`${"a".repeat(70)}@example.com`, `${"a".repeat(42)}=-20e6f1a70c44d8832998`],
    [`${"b".repeat(53)}@example.com`, `${"b".repeat(42)}=-766e4382fb45bb2c0318`],
  ])("for %s is %s, as the reference writes it", async (email, name) => {
    await sessionsOf({ session_name: "email" })(person(email));
    expect(names()).toEqual([name]);
  });

  test("that is too long is told from others by what was written, not by its escapes", async () => {
    await sessionsOf({ session_name: "email" })(person(`${"é".repeat(40)}@x.com`));
    expect(names()).toEqual([`${"=C3=A9".repeat(7)}=-bbbdc4c304d7e03621ab`]);
  });

  test("is the subject where that is configured", async () => {
    await sessionsOf({ session_name: "sub" })(person("ada@example.com", "auth0|42"));
    expect(names()).toEqual(["auth0=7C42"]);
  });

  test("is one that STS takes, and another for every developer", async () => {
    const sub = fc.oneof(
      fc.string({ unit: "binary", minLength: 2, maxLength: 80 }),
      fc.string({ minLength: 40, maxLength: 80 }).map((end) => "x".repeat(42) + end),
      // What looks like an escape or a cut name already.
      fc.stringMatching(/^[a-b=2D-]{2,70}$/),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(sub, { minLength: 2, maxLength: 4 }), async (subs) => {
        sts.asked.length = 0;
        const keysOf = sessionsOf({ session_name: "sub" });
        await Promise.all(subs.map((each) => keysOf(person(undefined, each))));
        expect(new Set(names()).size).toBe(subs.length);
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ["no email", undefined],
    ["an empty email", ""],
    ["an email of one character, too short for STS", "x"],
    ["an email with half a character, whose bytes are another's too", "a\ud800@x.com"],
  ])("cannot be had of a developer with %s: STS is not asked", async (_, email) => {
    const error = await rejection(sessionsOf({ session_name: "email" })(person(email, "noe")));
    expect(error).toBeInstanceOf(PrincipalUnfitError);
    expect(error.message).toBe(
      "upstream 'bedrock': sub=noe has no usable email claim for assume_role.session_name (set session_name: sub, or " +
        "oidc.email_claim); request not sent",
    );
    expect(sts.asked).toEqual([]);
  });
});

describe("a session", () => {
  test("is one for everybody where no claim names it", async () => {
    const keysOf = sessionsOf();
    expect(await keysOf(ada)).toBe(await keysOf(person(undefined, "bob")));
    expect(sts.asked).toHaveLength(1);
  });

  test("is asked for once by fifty requests of one developer", async () => {
    const keysOf = sessionsOf({ session_name: "email" });
    const all = await Promise.all(Array.from({ length: 50 }, () => keysOf(ada)));
    expect(new Set(all).size).toBe(1);
    expect(sts.asked).toHaveLength(1);
  });

  test("is each developer's own where a claim names it", async () => {
    const keysOf = sessionsOf({ session_name: "email" });
    const [first, second] = await Promise.all([keysOf(ada), keysOf(person("bob@example.com"))]);
    expect(first).not.toEqual(second);
    expect(await keysOf(ada)).toBe(first);
    expect(new Set(names())).toEqual(new Set(["ada@example.com", "bob@example.com"]));
  });

  test("serves for its hour, and then there is another", async () => {
    const keysOf = sessionsOf();
    const first = await keysOf(ada);
    nowMs += 54 * minuteMs;
    expect(await keysOf(ada)).toBe(first);
    expect(sts.asked).toHaveLength(1);
    nowMs += 6 * minuteMs;
    expect(await keysOf(ada)).not.toEqual(first);
  });

  test("that AWS refused is not used again, and nobody else's is touched", async () => {
    const sessionOf = createSessions({ session_name: "sub" });
    const [ann, bob] = [person(undefined, "ann"), person(undefined, "bob")];
    const keys = await sessionOf(ann).get();
    const others = await sessionOf(bob).get();
    sessionOf(ann).refused(keys);
    expect(await sessionOf(ann).get()).not.toEqual(keys);
    expect(await sessionOf(bob).get()).toBe(others);
    expect(names()).toEqual(["ann", "bob", "ann"]);
  });

  test("is forgotten when more are kept than there is room for: the one used longest ago", async () => {
    const keysOf = sessionsOf({ session_name: "sub" }, { sessionsMax: 2 });
    for (const sub of ["ann", "bob", "ann", "cid", "ann", "bob"])
      await keysOf(person(undefined, sub));
    expect(names()).toEqual(["ann", "bob", "cid", "bob"]);
  });
});

describe("without a session", () => {
  test("the error says what to check, and ends with what STS said", async () => {
    sts.instead = () => sts.error(403, "AccessDenied", "User: gateway is not authorized");
    const error = await rejection(sessionsOf({ session_name: "email" })(ada));
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toBe(
      `no credential for upstream 'bedrock', session ada@example.com: sts:AssumeRole on ${roleArn} failed, and the gateway's ` +
        "own credentials are not used instead. Check that the gateway's AWS identity may call sts:AssumeRole on that role, " +
        "that the role's trust policy trusts it, with the same external id if it asks for one, and that STS in " +
        `${stsRegion} can be reached: 403 AccessDenied: User: gateway is not authorized`,
    );
    expect(sts.asked).toHaveLength(1);
  });

  test("STS is asked twice where it is STS that failed", async () => {
    sts.instead = () => sts.error(500, "InternalFailure", "down");
    expect((await rejection(sessionsOf()(ada))).message).toEndWith(": 500 InternalFailure: down");
    expect(sts.asked).toHaveLength(2);
  });

  test("STS is asked again a second later", async () => {
    const keysOf = sessionsOf();
    sts.instead = () => sts.error(403, "AccessDenied", "no");
    await rejection(keysOf(ada));
    await rejection(keysOf(ada));
    expect(sts.asked).toHaveLength(1);
    sts.instead = undefined;
    nowMs += 1_000;
    expect((await keysOf(ada)).sessionToken).toStartWith("token/");
  });

  test("the failure of one developer's is not another's", async () => {
    const keysOf = sessionsOf({ session_name: "sub" });
    sts.instead = () => sts.error(403, "AccessDenied", "no");
    await rejection(keysOf(person(undefined, "ann")));
    sts.instead = undefined;
    expect((await keysOf(person(undefined, "bob"))).sessionToken).toStartWith("token/");
  });

  test.each([
    ["ExpiredToken", 403, [sourceKeys]],
    ["InvalidClientTokenId", 403, [sourceKeys]],
    ["AccessDenied", 403, []],
    ["InternalFailure", 500, []],
  ])(
    "for %s the gateway's own keys are refused only when it is their fault",
    async (code, status, expected) => {
      const refused: AwsKeys[] = [];
      const own = { ...source, refused: (keys: AwsKeys) => void refused.push(keys) };
      sts.instead = () => sts.error(status, code, "no");
      await rejection(sessionsOf({}, {}, own)(ada));
      expect(refused).toEqual(expected);
    },
  );

  test("STS is not asked when the gateway has no keys of its own", async () => {
    const none: Credential<AwsKeys> = {
      get: () => Promise.reject(new CredentialError("no credential for upstream 'bedrock': none")),
      refused: () => undefined,
    };
    const error = await rejection(sessionsOf({}, {}, none)(ada));
    expect(error).toBeInstanceOf(CredentialError);
    expect(error.message).toEndWith(": none");
    expect(sts.asked).toEqual([]);
  });

  test("a redirect is not followed", async () => {
    const other = startSts();
    sts.instead = () => Response.redirect(other.url, 307);
    const { message } = await rejection(sessionsOf()(ada));
    expect(message).toEndWith(": answered 307, a redirect, which is not followed");
    expect(other.asked).toEqual([]);
    await other.stop();
  });

  test("an answer longer than any of STS's is not read to its end", async () => {
    sts.instead = () => new Response("x".repeat(300_000));
    const { message } = await rejection(sessionsOf()(ada));
    expect(message).toEndWith(": its answer is longer than 262144 bytes");
  });

  test("what a proxy answers in STS's place is told by its status", async () => {
    sts.instead = () => new Response("<html>Bad gateway", { status: 502 });
    expect((await rejection(sessionsOf()(ada))).message).toContain("can be reached: 502 ");
  });
});
