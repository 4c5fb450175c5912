// Groups that an IdP left out of its token: refused, or read from Microsoft Graph, and never taken for none, at sign-in and at
// renewal. How Graph is asked is in entra-groups.test.ts.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import type { OidcConfig } from "../../src/config/schema.ts";
import { egressFor } from "../support/egress.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { graphError, graphGroups, startDirectories } from "../support/directories.ts";
import { idpErrorOf, startHostileIdp, waysIn } from "../support/hostile-idp.ts";
import { oidcConfig, overage, rejection } from "../support/idp.ts";

const hostile = await startHostileIdp();
const directories = startDirectories();
const { graph } = directories;
const egress = egressFor({ allowLoopback: true, timeoutMs: 500, responseBytesMax: 1_000_000 });
const warnings: string[] = [];
const log = { debug: () => {}, warn: (text: string) => warnings.push(text) };
afterEach(() => {
  hostile.straighten();
  directories.straighten();
});
afterAll(() => Promise.all([directories.stop(), hostile.close()]));

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

const marks: [string, Record<string, unknown>, string][] = [
  ["Entra's overage claim", overage, "groups"],
  ["hasgroups", { hasgroups: true }, "groups"],
  ["hasgroups as text", { hasgroups: "true" }, "groups"],
  ["the overage claim beside a part of the groups", { ...overage, groups: ["eng"] }, "groups"],
  ["a mark that names the claim of groups_claim", { _claim_names: { roles: "s" } }, "roles"],
  [
    "a mark that names the claim a pointer begins with",
    { _claim_names: { "a/b": "s" } },
    "/a~1b/c",
  ],
  ["a mark for a pointer to groups", { hasgroups: true }, "/groups"],
];

describe.each(ways)("groups that the IdP left out, at %s,", (way, enter) => {
  test.each(marks)("are refused with a way out: %s", async (_, mark, groups_claim) => {
    claims(mark);
    const error = await idpErrorOf(enter(await discover({ groups_claim })));
    expect(error).toMatchObject({ step: "admission", kind: "refused" });
    expect(error.message).toStartWith(
      "the IdP left out this person's groups because there are too many (Entra group overage): set oidc.entra_groups: {}",
    );
    expect(graph.questions).toEqual([]);
  });

  test.each(marks)("are read from Microsoft Graph with entra_groups: %s", async (_, mark, path) => {
    graph.membersOf = (accessToken) => (accessToken === "at-1" ? graphGroups("a", "b") : undefined);
    claims(mark);
    const idp = await discover({ groups_claim: path, entra_groups: {} });
    expect((await enter(idp)).identity.groups).toEqual(["a", "b"]);
  });

  test.each([
    [{ _claim_names: { roles: "src1" } }, "groups"],
    [overage, "roles"],
    [{ hasgroups: true }, "roles"],
    [{ hasgroups: false }, "groups"],
    [{ _claim_names: "groups" }, "groups"],
    [{ _claim_names: { groups: undefined } }, "groups"],
  ])("are not what %j says where groups_claim is %s", async (mark, groups_claim) => {
    claims(mark);
    const { identity } = await enter(await discover({ groups_claim, entra_groups: {} }));
    expect(identity).not.toHaveProperty("groups");
    expect(graph.questions).toEqual([]);
  });

  test("are those of userinfo only where it lists some", async () => {
    const idp = await discover({ userinfo_fallback: true });
    claims(overage);
    expect((await enter(idp)).identity.groups).toEqual(["eng", "finops"]);
    for (const more of [{}, { groups: [] }, { groups: ["eng"], ...overage }]) {
      hostile.bend.userinfoAnswer = () => Response.json({ sub: "ada", ...more });
      expect(await idpErrorOf(enter(idp))).toMatchObject({ step: "admission", kind: "refused" });
    }
  });

  test("are not asked for on behalf of somebody who may not come in anyway", async () => {
    claims({ ...overage, email: "ada@evil.example" });
    const idp = await discover({ entra_groups: {}, allowed_email_domains: ["example.com"] });
    expect(await idpErrorOf(enter(idp))).toMatchObject({ message: "email domain not allowed" });
    expect(graph.questions).toEqual([]);
  });

  test("count for allowed_groups", async () => {
    claims(overage);
    graph.membersOf = () => graphGroups("a");
    const idp = (allowed_groups: string[]) => discover({ entra_groups: {}, allowed_groups });
    expect((await enter(await idp(["a"]))).identity.groups).toEqual(["a"]);
    expect(await idpErrorOf(enter(await idp(["b"])))).toMatchObject({
      message: "user is not a member of an allowed group",
    });
  });

  test("stay unknown while Graph is down or does not let us in, and nobody is signed out", async () => {
    claims(overage);
    const idp = await discover({ entra_groups: {} });
    for (const status of [401, 403, 429, 500]) {
      graph.answer = () => graphError(status, "code");
      expect(await idpErrorOf(enter(idp))).toMatchObject({
        step: "directory",
        kind: status < 429 ? "failed" : "unavailable",
      });
    }
  });

  test("refuse a person whom Graph does not know", async () => {
    claims(overage);
    graph.answer = () => graphError(404, "Request_ResourceNotFound");
    expect(await idpErrorOf(enter(await discover({ entra_groups: {} })))).toMatchObject({
      step: "directory",
      kind: "refused",
    });
  });

  test("are asked of the cloud that the discovery document names", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, msgraph_host: "graph.microsoft.us" });
    const idp = await discover({ entra_groups: {} });
    claims(overage);
    graph.answer = () =>
      Response.json({ "@odata.nextLink": "https://graph.microsoft.com/", value: [] });
    expect((await idpErrorOf(enter(idp))).message).toEndWith("https://graph.microsoft.us");
  });

  if (way === "renewal") {
    test("may be any when no id_token came along: Entra's userinfo lists none", async () => {
      hostile.bend.userinfoAnswer = () => Response.json({ sub: "ada" });
      hostile.bend.tokens = (answer) => ({ ...answer, id_token: undefined });
      graph.membersOf = () => graphGroups("a");
      expect((await enter(await discover({ entra_groups: {} }))).identity.groups).toEqual(["a"]);
    });
  }
});

describe.each(ways)("with entra_groups, at %s,", (_, enter) => {
  test("groups that the token lists are the groups, and Graph is not asked", async () => {
    const { identity } = await enter(await discover({ entra_groups: {} }));
    expect(identity.groups).toEqual(["eng", "finops"]);
    claims({});
    expect((await enter(await discover({ entra_groups: {} }))).identity).not.toHaveProperty(
      "groups",
    );
    expect(graph.questions).toEqual([]);
  });
});

test("entra_groups warns about an IdP that is not Entra, and stops at an msgraph_host that is none", async () => {
  warnings.length = 0;
  await discover({ entra_groups: {} });
  expect(warnings.join()).toContain("has no msgraph_host");
  await discover({});
  expect(warnings).toHaveLength(1);
  hostile.bend.discoveryAnswer = (document) =>
    Response.json({ ...document, msgraph_host: "graph.microsoft.com/evil" });
  expect((await rejection(discover({ entra_groups: {} }))).message).toStartWith(
    "oidc.entra_groups: msgraph_host",
  );
});
