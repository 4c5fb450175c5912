// Google's directory where it is set: whose word counts for a person's groups, at sign-in and at renewal. How the directory is
// asked is in google-groups.test.ts.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OidcConfig } from "../../src/config/schema.ts";
import { egressFor } from "../support/egress.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { googleError, startDirectories } from "../support/directories.ts";
import { writeServiceAccountKey } from "../support/google.ts";
import { idpErrorOf, startHostileIdp, waysIn } from "../support/hostile-idp.ts";
import { oidcConfig, overage, rejection } from "../support/idp.ts";

const hostile = await startHostileIdp();
const directories = startDirectories();
const { google, graph } = directories;
const egress = egressFor({ allowLoopback: true, timeoutMs: 500, responseBytesMax: 1_000_000 });
const warnings: string[] = [];
const log = { debug: () => {}, warn: (text: string) => warnings.push(text) };
const directory = mkdtempSync(join(tmpdir(), "groups-"));
const google_groups = {
  service_account_json_path: writeServiceAccountKey(
    directory,
    "https://oauth2.googleapis.com/token",
  ),
  admin_email: "admin@example.com",
};
afterEach(() => {
  hostile.straighten();
  directories.straighten();
});
afterAll(async () => {
  await Promise.all([directories.stop(), hostile.close()]);
  rmSync(directory, { recursive: true });
});

const discover = (changes: Partial<OidcConfig>) =>
  discoverIdentityProvider(oidcConfig(hostile, changes), {
    egress,
    directoryEgress: directories.egress,
    log,
  });
/** The next id_tokens list no groups, and depart from the right ones in this. */
const claims = (changes: Record<string, unknown>) => {
  hostile.bend.claims = (right) => ({ ...right, groups: undefined, ...changes });
};
/** Whoever may not sign in may not be renewed either. */
const ways = waysIn(hostile);

describe.each(ways)("with google_groups, at %s,", (way, enter) => {
  test("the directory's groups are the groups, and those of the token are not", async () => {
    google.groups["ada@example.com"] = ["all@example.com"];
    const { identity } = await enter(await discover({ google_groups }));
    expect(identity.groups).toEqual(["all@example.com"]);
  });

  test("somebody without groups has none, whatever the token says", async () => {
    google.groups["ada@example.com"] = [];
    const { identity } = await enter(await discover({ google_groups }));
    expect(identity).not.toHaveProperty("groups");
  });

  test("allowed_groups are the directory's", async () => {
    const idp = await discover({ google_groups, allowed_groups: ["eng", "dev@example.com"] });
    google.groups["ada@example.com"] = ["dev@example.com"];
    expect((await enter(idp)).identity.groups).toEqual(["dev@example.com"]);
    google.groups["ada@example.com"] = ["all@example.com"];
    expect(await idpErrorOf(enter(idp))).toMatchObject({
      step: "admission",
      kind: "refused",
      message: "user is not a member of an allowed group",
    });
  });

  test("more groups than 10,000 are refused, not cut", async () => {
    google.groups["ada@example.com"] = Array.from({ length: 10_001 }, (_, index) => `g${index}`);
    expect(await idpErrorOf(enter(await discover({ google_groups })))).toMatchObject({
      step: "admission",
      kind: "refused",
      message: "the person is in more than 10000 groups",
    });
  });

  test("somebody unverified, of another domain or without an address is refused, and not asked for", async () => {
    const idp = await discover({ google_groups, allowed_email_domains: ["example.com"] });
    const refusal = async (changes: Record<string, unknown>, provider = idp) => {
      claims(changes);
      const error = await idpErrorOf(enter(provider));
      expect(error.kind).toBe("refused");
      return error.message;
    };
    expect(await refusal({ email_verified: false })).toBe("id_token email is not verified");
    expect(await refusal({ email: "ada@evil.example" })).toBe("email domain not allowed");
    expect(await refusal({ email: undefined }, await discover({ google_groups }))).toContain(
      "oidc.google_groups is configured but the id_token has no email — check oidc.email_claim",
    );
    expect(google.assertions).toEqual([]);
    expect(google.questions).toEqual([]);
  });

  test("an outage is an outage, not an absence of groups", async () => {
    const idp = await discover({ google_groups });
    google.answer = () => googleError(503, "backendError", "later");
    expect(await idpErrorOf(enter(idp))).toMatchObject({ step: "directory", kind: "unavailable" });
    google.answer = undefined;
    google.groups["ada@example.com"] = ["all@example.com"];
    expect((await enter(idp)).identity.groups).toEqual(["all@example.com"]);
  });

  test("a delegation that was withdrawn signs nobody out", async () => {
    google.tokenAnswer = () => Response.json({ error: "unauthorized_client" }, { status: 401 });
    expect(await idpErrorOf(enter(await discover({ google_groups })))).toMatchObject({
      step: "directory",
      kind: "failed",
      message: expect.stringContaining("is domain-wide delegation set up"),
    });
  });

  test("somebody whom Google does not know is refused", async () => {
    expect(await idpErrorOf(enter(await discover({ google_groups })))).toMatchObject({
      step: "directory",
      kind: "refused",
    });
  });

  test("userinfo is asked for an address that is missing, not for groups", async () => {
    google.groups["ada@example.com"] = ["all@example.com"];
    const idp = await discover({ google_groups, userinfo_fallback: true });
    claims({});
    expect((await enter(idp)).identity.groups).toEqual(["all@example.com"]);
    expect(hostile.seen.userinfo).toBe(0);
    claims({ email: undefined });
    expect((await enter(idp)).identity.groups).toEqual(["all@example.com"]);
    expect(hostile.seen.userinfo).toBe(1);
  });

  test("groups that the token calls left out do not matter", async () => {
    google.groups["ada@example.com"] = ["all@example.com"];
    claims(overage);
    expect((await enter(await discover({ google_groups }))).identity.groups).toEqual([
      "all@example.com",
    ]);
    expect(graph.questions).toEqual([]);
  });

  if (way === "renewal") {
    test("without an id_token, the address is userinfo's", async () => {
      google.groups["ada@example.com"] = ["all@example.com"];
      hostile.bend.tokens = (answer) => ({ ...answer, id_token: undefined });
      const { identity } = await enter(await discover({ google_groups }));
      expect(identity.groups).toEqual(["all@example.com"]);
    });
  }
});

test("a key file that cannot be read stops the boot before anybody signs in", async () => {
  const service_account_json_path = join(directory, "none.json");
  const settings = { ...google_groups, service_account_json_path };
  expect((await rejection(discover({ google_groups: settings }))).message).toStartWith(
    "oidc.google_groups.service_account_json_path: ENOENT",
  );
});

test("an issuer other than Google is warned about", async () => {
  warnings.length = 0;
  await discover({ google_groups });
  await discover({});
  expect(warnings).toEqual([
    "oidc.google_groups is set but oidc.issuer is not accounts.google.com — the Directory API only returns groups for Google Workspace users, so every login will be refused",
  ]);
});
