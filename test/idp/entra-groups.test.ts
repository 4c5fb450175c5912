// Microsoft Graph: how the groups are read that Entra left out of a token, and what each refusal means.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { openEntraGroups } from "../../src/idp/entra-groups.ts";
import { egressTo, graphError, graphGroups, startGraph } from "../support/directories.ts";
import { idpErrorOf } from "../support/hostile-idp.ts";

const graph = startGraph();
const egress = egressTo({ "https://graph.microsoft.com": graph.url });
afterEach(() => graph.straighten());
afterAll(() => graph.stop());

const groupsOf = () =>
  openEntraGroups({}, { egress }).groupsOf({ email: undefined, accessToken: "at-1" });
const failure = () => idpErrorOf(groupsOf());
const ids = (count: number) => Array.from({ length: count }, (_, index) => `id-${index}`);
const nextLink = (link: unknown) => () =>
  Response.json({ "@odata.nextLink": link, value: graphGroups("id-0") });

describe("the list", () => {
  test("is asked for with the person's own access token, groups within groups included", async () => {
    graph.membersOf = (accessToken) => (accessToken === "at-1" ? graphGroups("a", "b") : undefined);
    expect(await groupsOf()).toEqual(["a", "b"]);
    expect(graph.questions.map(({ url }) => url.pathname + url.search)).toEqual([
      "/v1.0/me/transitiveMemberOf?$select=id&$top=999",
    ]);
  });

  test("holds groups, not roles and administrative units; what does not say what it is counts as a group", async () => {
    graph.membersOf = () => [
      { "@odata.type": "#microsoft.graph.directoryRole", id: "role" },
      ...graphGroups("a"),
      { "@odata.type": "#microsoft.graph.administrativeUnit", id: "unit" },
      { id: "b" },
    ];
    expect(await groupsOf()).toEqual(["a", "b"]);
  });

  test("is read to its last page", async () => {
    graph.membersOf = () => graphGroups(...ids(2_000));
    expect(await groupsOf()).toEqual(ids(2_000));
    expect(graph.questions).toHaveLength(3);
  });

  test("that is longer than admission allows is not read any further, and not cut to what it allows", async () => {
    graph.membersOf = () => graphGroups(...ids(20_000));
    expect((await groupsOf()).length).toBeGreaterThan(10_000);
    expect(graph.questions.length).toBeLessThan(15);
  });

  test("that never ends is given up", async () => {
    graph.answer = ({ url }) => nextLink(`https://graph.microsoft.com${url.pathname}`)();
    expect(await failure()).toMatchObject({ step: "directory", kind: "unavailable" });
    expect(graph.questions).toHaveLength(200);
  });

  test.each([
    "https://evil.example/v1.0/me/transitiveMemberOf",
    "https://graph.microsoft.com.evil.example/",
    "https://graph.microsoft.com@evil.example/",
    "http://graph.microsoft.com/v1.0/me/transitiveMemberOf",
    "https://graph.microsoft.com:8443/",
    "/v1.0/me/transitiveMemberOf",
    "",
    5,
    null,
  ])("does not go on at %p: the access token is for one origin", async (link) => {
    graph.answer = nextLink(link);
    expect(await failure()).toMatchObject({
      step: "directory",
      kind: "unavailable",
      message:
        "entra_groups lookup failed: Microsoft Graph names a next page outside of https://graph.microsoft.com",
    });
    expect(graph.questions).toHaveLength(1);
  });

  test.each([
    {},
    { value: null },
    { value: { id: "a" } },
    { value: [{ "@odata.type": "#microsoft.graph.group" }] },
    { value: [{ id: "a" }, null] },
    { value: [{ id: 5 }] },
  ])("that cannot be read is no list: %j", async (body) => {
    graph.answer = () => Response.json(body);
    expect(await failure()).toMatchObject({ step: "directory", kind: "unavailable" });
  });
});

describe("an answer", () => {
  const advice =
    "grant the application the delegated permission User.Read of Microsoft Graph, add User.Read to oidc.scopes, and ask for no other API's scopes there";
  const answers: [string, () => Response | Promise<Response>, string, string][] = [
    [
      "401 for an access token of another API",
      () => graphError(401, "InvalidAuthenticationToken", "Invalid audience."),
      "failed",
      `entra_groups lookup failed: Microsoft Graph 401: InvalidAuthenticationToken (Invalid audience.): ${advice}`,
    ],
    [
      "403 without the permission",
      () => graphError(403, "Authorization_RequestDenied", "Insufficient privileges"),
      "failed",
      `entra_groups lookup failed: Microsoft Graph 403: Authorization_RequestDenied (Insufficient privileges): ${advice}`,
    ],
    [
      "404 for a person who is gone",
      () => graphError(404, "Request_ResourceNotFound"),
      "refused",
      "entra_groups lookup failed: Microsoft Graph 404: Request_ResourceNotFound (words)",
    ],
    ["404 of some other server", () => new Response("", { status: 404 }), "unavailable", "404"],
    ["429", () => graphError(429, "TooManyRequests"), "unavailable", "TooManyRequests (words)"],
    ["503", () => new Response("down", { status: 503 }), "unavailable", "Microsoft Graph 503"],
    [
      "200 in HTML",
      () => new Response("<html>"),
      "unavailable",
      "Graph 200: its answer is not a JSON object",
    ],
    ["a redirect", () => Response.redirect("https://evil.example/"), "unavailable", "302"],
    ["an endless page", () => new Response("x".repeat(2_000_000)), "unavailable", "1000000 bytes"],
    [
      "silence",
      () => Bun.sleep(2_000).then(() => new Response()),
      "unavailable",
      "ETIMEDOUT: no complete answer within 500 ms",
    ],
  ];
  test.each(answers)("%s", async (_, answer, kind, said) => {
    graph.answer = answer;
    const error = await failure();
    expect(error).toMatchObject({ step: "directory", kind });
    expect(error.message).toEndWith(said);
    expect(error.message).not.toContain("at-1");
  });
});

describe("msgraph_host of the discovery document", () => {
  test("says where Graph is in a national cloud", async () => {
    const china = egressTo({ "https://microsoftgraph.chinacloudapi.cn": graph.url });
    graph.membersOf = () => graphGroups("a");
    const host = { msgraph_host: "microsoftgraph.chinacloudapi.cn" };
    const groups = openEntraGroups(host, { egress: china });
    expect(await groups.groupsOf({ email: undefined, accessToken: "at-1" })).toEqual(["a"]);
  });

  test.each(["", "a b", "evil.example/x", "user@evil.example", "evil.example?x", "https://x"])(
    "is refused when it is no host: %p",
    (msgraph_host) => {
      expect(() => openEntraGroups({ msgraph_host }, { egress })).toThrow(
        "oidc.entra_groups: msgraph_host of the discovery document is not a host",
      );
    },
  );
});
