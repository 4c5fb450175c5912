// From claims to an admitted identity, rule by rule.
import { describe, expect, test } from "bun:test";
import { array, assert, constantFrom, property } from "fast-check";
import {
  admit,
  claimedGroups,
  type ClaimRules,
  type Claims,
  hasGaps,
  identify,
} from "../../src/idp/claims.ts";

const open: ClaimRules = {
  email_claim: "email",
  groups_claim: "groups",
  allowed_email_domains: [],
  allowed_groups: [],
};
const ada = { sub: "ada", email: "ada@example.com" };

/** Identity, or the reason of the refusal. */
const readAll = (rules: ClaimRules, sources: readonly [Claims, ...Claims[]]) => {
  const person = identify(rules, sources);
  if ("refused" in person) return person.refused;
  const claimed = claimedGroups(rules, sources);
  if ("leftOut" in claimed) return "left out";
  const admission = admit(rules, person.identity, claimed.groups);
  return "refused" in admission ? admission.refused : admission.identity;
};
const read = (claims: Claims, rules: Partial<ClaimRules> = {}) =>
  readAll({ ...open, ...rules }, [claims]);

test("claims that are absent stay absent", () => {
  expect(read({ sub: "ada" })).toEqual({ sub: "ada" });
});

test.each([
  {},
  { sub: "" },
  { sub: 5 },
  { sub: "a\u0000b" },
  { sub: "x".repeat(1_025) },
  { sub: "\ud800" },
])("without a usable sub nobody is identified: %j", (claims) => {
  expect(read(claims)).toBe("IdP claims missing required `sub`");
});

describe("groups", () => {
  test.each([
    [
      ["a", 1, null, "", ["c"], "b"],
      ["a", "b"],
    ],
    ["solo", ["solo"]],
    ["", undefined],
    [[], undefined],
    [[1, null], undefined],
    [{ a: "b" }, undefined],
    [7, undefined],
  ])("%j reads as %j", (groups, expected) => {
    expect(read({ sub: "ada", groups })).toEqual({
      sub: "ada",
      ...(expected ? { groups: expected } : {}),
    });
  });

  test("a JSON Pointer reaches into objects and lists, with its escapes", () => {
    const claims = {
      sub: "ada",
      "a/b": { "c~d": [{ roles: ["r1", "r2"] }] },
      email: "ada@example.com",
    };
    expect(read(claims, { groups_claim: "/a~1b/c~0d/0/roles" })).toMatchObject({
      groups: ["r1", "r2"],
    });
    expect(read(claims, { groups_claim: "/a~1b/c~0d/0/roles/1" })).toMatchObject({
      groups: ["r2"],
    });
    expect(read(claims, { groups_claim: "/email" })).toMatchObject({ groups: ["ada@example.com"] });
  });

  test("a claim name that is a URL is a name, not a pointer", () => {
    const name = "https://example.com/groups";
    expect(read({ sub: "ada", [name]: ["g"] }, { groups_claim: name })).toMatchObject({
      groups: ["g"],
    });
  });

  test("a pointer never leaves the claims for what every object inherits", () => {
    for (const groups_claim of [
      "/constructor/name",
      "/__proto__/x",
      "constructor",
      "/email/length",
    ]) {
      expect(read(ada, { groups_claim })).toEqual(ada);
    }
  });

  test("10,000 groups are read; one more refuses the sign-in rather than cutting the list", () => {
    const groups = Array.from({ length: 10_000 }, (_, index) => `g${index}`);
    expect(read({ sub: "ada", groups })).toEqual({ sub: "ada", groups });
    expect(read({ sub: "ada", groups: [...groups, "one more"] })).toBe(
      "the person is in more than 10000 groups",
    );
  });

  test("a group name that is too long or holds control characters refuses the sign-in", () => {
    const reason = "the groups hold a name that is too long or not readable";
    expect(read({ sub: "ada", groups: ["x".repeat(1_025)] })).toBe(reason);
    expect(read({ sub: "ada", groups: ["a\nb"] })).toBe(reason);
  });

  test("allowed_groups wants one exact match", () => {
    const rules = { allowed_groups: ["eng", "ops"] };
    expect(read({ sub: "ada", groups: ["x", "ops"] }, rules)).toMatchObject({
      groups: ["x", "ops"],
    });
    for (const groups of [["ENG"], ["eng "], ["engineering"], undefined]) {
      expect(read({ sub: "ada", groups }, rules)).toBe("user is not a member of an allowed group");
    }
  });
});

describe("e-mail", () => {
  test("email_claim takes the first that is present, by name or pointer", () => {
    const rules = { email_claim: ["/x/mail", "upn", "email"] };
    expect(read({ ...ada, upn: "u@example.com" }, rules)).toMatchObject({ email: "u@example.com" });
    expect(read({ ...ada, upn: 5 }, rules)).toMatchObject({ email: "ada@example.com" });
    expect(read({ ...ada, x: { mail: "m@example.com" } }, rules)).toMatchObject({
      email: "m@example.com",
    });
  });

  test.each([undefined, null, true, "true"])("email_verified %p passes", (email_verified) => {
    expect(read({ ...ada, email_verified })).toEqual(ada);
  });

  test.each([false, "false", "False", "True", "no", "", 0, 1, [], {}].map((value) => ({ value })))(
    "email_verified $value is refused",
    ({ value }) => {
      expect(read({ ...ada, email_verified: value })).toBe("id_token email is not verified");
    },
  );

  test("an empty address is kept when no domain is required, one that is not a string is absent", () => {
    expect(read({ sub: "ada", email: "" })).toEqual({ sub: "ada", email: "" });
    expect(read({ sub: "ada", email: 5, name: "" })).toEqual({ sub: "ada" });
  });

  const rules = { allowed_email_domains: ["Example.com", "work.test"] };

  test.each(["ada@example.com", "Ada@EXAMPLE.COM", "a.b+c@work.test", "ö@example.com"])(
    "%s is in an allowed domain",
    (email) => {
      expect(read({ sub: "ada", email }, rules)).toEqual({ sub: "ada", email });
    },
  );

  test.each([
    "a@example.com@evil.com",
    "a@sub.example.com",
    "a@example.com.",
    "a@example.com.evil.com",
    "a@evilexample.com",
    // The Kelvin sign, which toLowerCase turns into k, and a Cyrillic e.
    "a@wor\u212a.test",
    "a@\u0435xample.com",
    "example.com",
    "a@example.com ",
    "",
    "@",
  ])("%s is in no allowed domain", (email) => {
    expect(read({ sub: "ada", email }, rules)).toBe("email domain not allowed");
  });

  test.each([
    "a@evil.com@example.com",
    '"a@evil.com"@example.com',
    "a@evil.com,b@example.com",
    "a b@example.com",
    "@example.com",
    "<a@evil.com>@example.com",
    "a(@evil.com)@example.com",
  ])("%s ends in an allowed domain but is not one plain address", (email) => {
    const reason = "email domain not allowed: the claim is not one plain address";
    expect(read({ sub: "ada", email }, rules)).toBe(reason);
  });

  test("with allowed domains an address is needed, and the reason says where to set it", () => {
    expect(read({ sub: "ada" }, rules)).toStartWith(
      "id_token missing email claim — configure your IdP",
    );
  });

  test("whatever is admitted ends in an allowed domain", () => {
    const piece = constantFrom(
      "a",
      "@",
      "example.com",
      "EXAMPLE.COM",
      "evil.com",
      ".",
      " ",
      '"',
      ",",
      "\u212a",
    );
    assert(
      property(array(piece, { maxLength: 6 }), (pieces) => {
        const admitted = read({ sub: "ada", email: pieces.join("") }, rules);
        if (typeof admitted === "string") return;
        expect(admitted.email).toMatch(/^[^@]+@example\.com$/i);
      }),
    );
  });
});

describe("a second source", () => {
  const userinfo = { sub: "ada", email: "other@example.com", name: "Ada", groups: ["u"] };

  test("fills what the first leaves out and overrides nothing", () => {
    expect(readAll(open, [{ sub: "ada", groups: ["t"] }, userinfo])).toEqual({
      sub: "ada",
      email: "other@example.com",
      name: "Ada",
      groups: ["t"],
    });
  });

  test("that calls the address unverified refuses it", () => {
    expect(readAll(open, [ada, { ...userinfo, email_verified: false }])).toBe(
      "id_token email is not verified",
    );
  });

  test("is worth asking for an address or groups, not for a name alone", () => {
    expect(hasGaps(open, { ...ada, groups: ["g"] })).toBe(false);
    expect(hasGaps(open, ada)).toBe(true);
    expect(hasGaps(open, { sub: "ada", groups: ["g"] })).toBe(true);
    expect(hasGaps(open, { ...ada, groups: ["part"], hasgroups: true })).toBe(true);
  });

  test("is not worth asking for groups where Google's directory has them", () => {
    const google_groups = { service_account_json_path: "/key.json", admin_email: "a@example.com" };
    expect(hasGaps({ ...open, google_groups }, ada)).toBe(false);
    expect(hasGaps({ ...open, google_groups }, { sub: "ada" })).toBe(true);
  });
});
