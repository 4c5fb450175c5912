// Who someone is, in labels of telemetry: which can be written, and which are better left out.
import { describe, expect, test } from "bun:test";
import { identityAttributesOf } from "../../src/policy/identity-attributes.ts";

const ada = { sub: "ada", email: "ada@example.com", groups: ["eng", "finops"] };
const of = (changes: Partial<typeof ada> | { email: undefined }) =>
  identityAttributesOf({ ...ada, ...changes });

test("a person with everything has four, in this order", () => {
  expect(Object.entries(of({}))).toEqual([
    ["enduser.id", "ada@example.com"],
    ["user.email", "ada@example.com"],
    ["user.groups", "eng,finops"],
    ["enduser.sub", "ada"],
  ]);
});

describe("a person", () => {
  test("without an e-mail address is known by their sub", () => {
    expect(of({ email: undefined })).toEqual({
      "enduser.id": "ada",
      "user.groups": "eng,finops",
      "enduser.sub": "ada",
    });
  });

  test("whose address is empty has none, and no other id", () => {
    expect(of({ email: "" })).toMatchObject({ "enduser.id": "" });
    expect(of({ email: "" })).not.toHaveProperty(["user.email"]);
  });

  test("has an address as it is", () => {
    const email = '"a b;%é"@example.com';
    expect(of({ email })).toMatchObject({ "enduser.id": email, "user.email": email });
  });
});

describe("groups", () => {
  const groupsOf = (...groups: string[]) => of({ groups })["user.groups"];

  test("are listed in order, repeated ones too, whatever characters they have", () => {
    expect(groupsOf("b c", "a;é%", "b c")).toBe("b c,a;é%,b c");
  });

  test.each([[["a,b", "c"]], [["a=b"]], [[]], [[""]], [["\ud800"]]])(
    "%j are left out",
    (groups) => {
      expect(of({ groups })).not.toHaveProperty(["user.groups"]);
    },
  );

  test("are left out all of them when they are longer than 255 characters, encoded", () => {
    expect(groupsOf("a".repeat(255))).toHaveLength(255);
    expect(groupsOf("a".repeat(256))).toBeUndefined();
    // A comma counts three.
    expect(groupsOf("a".repeat(126), "b".repeat(126))).toBeDefined();
    expect(groupsOf("a".repeat(127), "b".repeat(126))).toBeUndefined();
    // é is two bytes of three characters each.
    expect(groupsOf("é".repeat(42))).toBeDefined();
    expect(groupsOf("é".repeat(43))).toBeUndefined();
  });
});

describe("a sub", () => {
  test.each(["00u1x", "auth0|5f/7:c@d", "s".repeat(255)])("%s is told", (sub) => {
    expect(of({ sub })["enduser.sub"]).toBe(sub);
  });

  test.each(["", "a b", "a,b", "a;b", "a=b", "a\\b", 'a"b', "a%b", "é", "a\n", "s".repeat(256)])(
    "%j is left out",
    (sub) => {
      expect(of({ sub })).not.toHaveProperty(["enduser.sub"]);
    },
  );
});
