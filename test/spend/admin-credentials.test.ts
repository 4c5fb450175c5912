// Who may use the admin API, and as whom.
import { expect, test } from "bun:test";
import { createCredentials } from "../../src/spend/admin/credentials.ts";
import { admin, readKey, sessionsAt, writeKey } from "./admin-scene.ts";

let clockMs = Date.parse("2026-11-22T12:00:00Z");
const sessions = sessionsAt(() => clockMs);
const credentials = createCredentials(admin, sessions);
const bearer = async (groups: string[], sub = "ada") =>
  `Bearer ${(await sessions.mint({ sub, groups })).accessToken}`;

const finops = await bearer(["eng", "platform-finops"]);
const wrongKey = "z".repeat(36);
const tf = { actor: "admin-key:tf", mayWrite: true };
const ada = { actor: "oidc:ada", mayWrite: true };

const asked: [string, Record<string, string>, unknown][] = [
  ["a write key may write", { "x-api-key": writeKey }, tf],
  [
    "a read key may not write",
    { "x-api-key": readKey },
    { actor: "admin-key:rd", mayWrite: false },
  ],
  ["a person of an admin group may write", { authorization: finops }, ada],
  ["an unknown key is refused", { "x-api-key": wrongKey }, "invalid_key"],
  ["a key cut short is refused", { "x-api-key": writeKey.slice(0, -1) }, "invalid_key"],
  ["two keys are none", { "x-api-key": `${writeKey}, ${writeKey}` }, "invalid_key"],
  [
    "a good bearer does not make up for a wrong key",
    { "x-api-key": wrongKey, authorization: finops },
    "invalid_key",
  ],
  ["a key decides before a bearer", { "x-api-key": writeKey, authorization: finops }, tf],
  ["an empty key is none", { "x-api-key": "", authorization: finops }, ada],
  ["nothing is no credential", {}, "no_credentials"],
  [
    "nothing but blanks is no credential",
    { "x-api-key": " ", authorization: "" },
    "no_credentials",
  ],
  [
    "a person of other groups is refused",
    { authorization: await bearer(["eng"]) },
    "bearer_rejected",
  ],
  ["a person without groups is refused", { authorization: await bearer([]) }, "bearer_rejected"],
  [
    "a group with a longer name is another group",
    { authorization: await bearer(["platform-finops-eu"]) },
    "bearer_rejected",
  ],
  ["a key is no bearer", { authorization: `Bearer ${writeKey}` }, "bearer_rejected"],
  ["another scheme is refused", { authorization: `Basic ${writeKey}` }, "bearer_rejected"],
  ["junk is refused", { authorization: "Bearer x" }, "bearer_rejected"],
];
test.each(asked)("%s", async (_name, headers, expected) => {
  expect(await credentials(new Headers(headers))).toEqual(expected as never);
});

test("a person is named as the database can keep it", async () => {
  const authorization = await bearer(["platform-finops"], "a\0da\ud800");
  expect(await credentials(new Headers({ authorization }))).toEqual({
    actor: "oidc:a\ufffdda\ufffd",
    mayWrite: true,
  });
});

test("a key of both lists may write", async () => {
  const both = createCredentials(
    { ...admin, read_keys: [{ id: "also", key: writeKey }] },
    sessions,
  );
  expect(await both(new Headers({ "x-api-key": writeKey }))).toEqual(tf);
});

test("without keys and groups nobody may do anything", async () => {
  const nobody = createCredentials({ write_keys: [], read_keys: [], admin_groups: [] }, sessions);
  expect(await nobody(new Headers({ "x-api-key": writeKey }))).toBe("invalid_key");
  expect(await nobody(new Headers({ authorization: finops }))).toBe("bearer_rejected");
});

test("a bearer that is over is refused", async () => {
  const headers = new Headers({ authorization: finops });
  expect(await credentials(headers)).toEqual(ada);
  clockMs += 3_601_000;
  expect(await credentials(headers)).toBe("bearer_rejected");
});
