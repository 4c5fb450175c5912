import { describe, expect, test } from "bun:test";
import { allowedBy } from "../../../src/telemetry/identity/own-attributes.ts";
import { ada, nil } from "./exports.ts";

const allowed = allowedBy(ada);

describe("a bearer vouches for", () => {
  test.each([
    ["user.id", ["ada"]],
    ["user.email", ["ada@example.com"]],
    ["user.groups", ["eng,finops"]],
    ["enduser.id", ["ada@example.com", "ada"]],
    ["enduser.sub", ["ada"]],
  ])("%s, as it has it", (key, values) => {
    expect(allowed(key)).toEqual(values);
  });

  test("nothing that it does not say", () => {
    const allowedToNil = allowedBy(nil);
    expect(allowedToNil("user.email")).toEqual([]);
    expect(allowedToNil("user.groups")).toEqual([]);
    expect(allowedToNil("enduser.id")).toEqual(["nil"]);
  });

  test("no empty e-mail address", () => {
    const allowedWithout = allowedBy({ ...ada, email: "" });
    expect(allowedWithout("user.email")).toEqual([]);
    expect(allowedWithout("enduser.id")).toEqual(["ada"]);
  });

  test("groups with commas, joined as the client joins them", () => {
    expect(allowedBy({ ...ada, groups: ["a,b", "team=core", "Ünï"] })("user.groups")).toEqual([
      "a,b,team=core,Ünï",
    ]);
  });
});

test.each([
  "user.name",
  "user.account_uuid",
  "user.",
  "enduser.role",
  "User.Email",
  "USER.ID",
  "EndUser.Id",
  "user%2Eemail",
  "user%2eemail",
  "enduser%2Eid",
  "%75ser.email",
  "%55SER%2EEMAIL",
  "u\u017fer.email",
  " user.email",
  "\0user.email",
  "\ufeffuser.email",
  "user.email\0",
  "user.email ",
  "user.id.x",
])("nobody may say %j, which is of the families of the bearer's own", (key) => {
  expect(allowed(key)).toEqual([]);
});

test.each([
  "user_email",
  "user-id",
  "USER_EMAIL",
  "enduser_id",
  "user:groups",
  "user email",
  "enduser_sub_",
])("nobody may say %j, which stores without dots read as the bearer's own", (key) => {
  expect(allowed(key)).toEqual([]);
});

test.each(["user", "enduser", "User", "user_", " user", "us%65r", ""])(
  "%j may not nest anything, which stores flatten to the bearer's own",
  (key) => {
    expect(allowed(key)).toBe("nothing nested");
  },
);

test.each([
  "team",
  "session.id",
  "identity.source",
  "organization.id",
  "user_prompt",
  "user_prompt_length",
  "users.x",
  "userid",
  "super.user.email",
  "gen_ai.user.email",
  "blocked_on_user",
  "%",
  "%zz",
  "100%",
  "é",
])("%j is nobody's identity", (key) => {
  expect(allowed(key)).toBe("anything");
});

test("a long key that could be read as somebody's does not stand, and another one may", () => {
  for (const padding of [" ", ".", "x"])
    expect(allowed(`${padding.repeat(257)}user.id`)).toEqual([]);
  expect(allowed(`user${"x".repeat(300)}`)).toEqual([]);
  expect(allowed("x".repeat(300))).toBe("anything");
  expect(allowed(`${"x".repeat(252)}user`)).toBe("anything");
});
