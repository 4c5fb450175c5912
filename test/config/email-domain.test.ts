// Domains of e-mail addresses: which one an address has, and when two are the same.
import { describe, expect, test } from "bun:test";
import { domainOfAddress, lowerCased } from "../../src/config/email-domain.ts";
import { domainOf } from "../../src/config/policy-schema.ts";

describe("the domain of an address", () => {
  test.each([
    ["a@example.com", "example.com"],
    ["A@EXAMPLE.Com", "example.com"],
    ['"a@b"@example.com', "example.com"],
    ["a@evil.example@example.com", "example.com"],
    ["@example.com", "example.com"],
    [" a@example.com", "example.com"],
    ["a@sub.example.com", "sub.example.com"],
    ["a@MÜNCHEN.de", "münchen.de"],
    ["a@XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de"],
  ])("of %j is %j", (address, domain) => {
    expect(domainOfAddress(address)).toBe(domain);
  });

  test.each(["", "example.com", "a.example.com"])("%j has none: it has no @", (address) => {
    expect(domainOfAddress(address)).toBe(undefined);
  });

  // Each is another domain than example.com, however much it looks like it.
  test.each([
    "a@example.com ",
    "a@example.com.",
    "a@",
    "a@xexample.com",
    '"a@example.com"',
    "a@example.comx",
  ])("of %j is not example.com", (address) => {
    expect(domainOfAddress(address)).not.toBe("example.com");
  });
});

describe("lower case", () => {
  test("is a letter's own, in every alphabet", () => {
    expect(lowerCased("ÀÉÎ.ΔΩ.ЖЯ.ABC")).toBe("àéî.δω.жя.abc");
  });

  test("turns no letter of another alphabet into a plain one: that would be another domain", () => {
    // The Kelvin sign, whose lower case is k.
    expect(lowerCased("\u{212a}elvin.example")).not.toBe("kelvin.example");
    // A dotted capital I, whose lower case begins with i.
    expect(lowerCased("\u{130}.example")).not.toStartWith("i");
    expect(domainOfAddress("a@ban\u{212a}.example")).not.toBe("bank.example");
  });

  test("says nothing about the way a letter is composed", () => {
    expect(lowerCased("É.example".normalize("NFD"))).not.toBe(
      lowerCased("É.example".normalize("NFC")),
    );
  });
});

describe("the domain that a policy is for", () => {
  test.each([
    ["Example.COM", "example.com"],
    ["@example.com", "example.com"],
    [" \t@example.com\u{a0}", "example.com"],
    ["@@example.com", "@example.com"],
    ["@", ""],
    ["  ", ""],
    ["example.com.", "example.com."],
    ["*.example.com", "*.example.com"],
  ])("%j is %j", (written, domain) => {
    expect(domainOf(written)).toBe(domain);
  });
});
