// What every page has in common: its headers, that nothing is loaded or run, and that text from elsewhere stays text. What the
// pages say: pages.test.ts. How a browser shows them: test/pages/.
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { assert, constantFrom, oneof, pre, property, string } from "fast-check";
import {
  approvalPage,
  codeEntryPage,
  deniedPage,
  interruptedPage,
  landingPage,
  type Page,
  signedInPage,
  signInFailedPage,
  signInFailures,
} from "../../src/oauth/pages.ts";

const formActionOrigins = ["https://login.example.com"];
const now = new Date("2026-11-22T17:45:10Z");
const request = {
  surface: "Claude Code",
  askedAt: new Date("2026-11-22T17:43:00Z"),
  fromAddress: "203.0.113.7",
};
const gateway = {
  publicUrl: "https://gw.example.com",
  identityProviderHost: "login.example.com",
  version: "1.2.3",
};
const landing = landingPage(gateway);
const every: Record<string, Page> = {
  entry: codeEntryPage({ formActionOrigins }),
  approval: approvalPage({ userCode: "FCDS-GFNB", formActionOrigins, request, now }),
  denied: deniedPage(),
  signedIn: signedInPage(),
  failed: signInFailedPage({ message: signInFailures.notCompleted }),
  interrupted: interruptedPage({ userCode: "FCDS-GFNB" }),
  landing,
};

describe.each(Object.entries(every))("the page %s", (_name, page) => {
  test("is HTML that no cache keeps", () => {
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.headers["cache-control"]).toBe("no-store");
  });

  test("allows its own style sheet by hash and nothing else", () => {
    const style = /<style>([^]*?)<\/style>/.exec(page.html)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    const csp = policyOf(page);
    expect(csp["default-src"]).toBe("'none'");
    expect(csp["style-src"]).toBe(`'sha256-${hash}'`);
    expect(csp["frame-ancestors"]).toBe("'none'");
    expect(csp["base-uri"]).toBe("'none'");
    expect(Object.keys(csp)).toHaveLength(5);
  });

  test("holds no script, inline style, event handler or address to load from", () => {
    expect(page.html).not.toMatch(
      /<script|javascript:|\sstyle=|\son[a-z]+=|\ssrc=|<link|<img|@import|url\(/i,
    );
  });

  test("has a language, a title and exactly one first-level heading", () => {
    expect(page.html).toStartWith('<!doctype html>\n<html lang="en">');
    expect(page.html).toMatch(/<title>[^<]+ · Gateway for Claude Code<\/title>/);
    expect(page.html.match(/<h1[ >]/g)).toHaveLength(1);
  });

  test("has an element for every id that it refers to", () => {
    const referred = [
      ...page.html.matchAll(/\s(?:for|aria-describedby|aria-labelledby)="([^"]*)"/g),
    ];
    const ids = referred.flatMap(([, list = ""]) => list.split(" "));
    const dangling = ids.filter((id) => !page.html.includes(` id="${id}"`));
    expect(dangling).toEqual([]);
  });
});

describe("form-action", () => {
  test("names this gateway, then the identity provider, then the configured origins, in order and once", () => {
    const origins = [
      "https://login.example.com",
      "https://adfs.example.com",
      "https://login.example.com",
    ];
    const pages = [
      codeEntryPage({ formActionOrigins: origins }),
      approvalPage({ userCode: "FCDS-GFNB", formActionOrigins: origins }),
    ];
    for (const page of pages)
      expect(policyOf(page)["form-action"]).toBe(
        "'self' https://login.example.com https://adfs.example.com",
      );
  });

  test("cannot be ended or widened by a configured origin", () => {
    const odd = [
      "https://a.example.com;script-src/x",
      "https://b,c.example.com",
      "https://u:p@d.example.com:8443/p?q#f",
    ];
    const csp = policyOf(codeEntryPage({ formActionOrigins: odd }));
    expect(csp["form-action"]).toBe(
      "'self' https://a.example.com%3Bscript-src https://b%2Cc.example.com https://d.example.com:8443",
    );
    expect(csp["script-src"]).toBeUndefined();
  });

  test("is closed on the landing page, which has no form", () => {
    expect(policyOf(landing)["form-action"]).toBe("'none'");
  });
});

describe("text from elsewhere", () => {
  const hostile = `"><script>alert('1')</script>&amp;`;
  const escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;";
  const shown: [string, Page, number][] = [
    ["user code", approvalPage({ userCode: hostile, formActionOrigins }), 2],
    ["notice", codeEntryPage({ formActionOrigins, notice: hostile }), 1],
    [
      "notice beside a code",
      approvalPage({ userCode: "x", formActionOrigins, notice: hostile }),
      1,
    ],
    ["refusal", codeEntryPage({ formActionOrigins, refusal: hostile }), 1],
    [
      "surface",
      approvalPage({ userCode: "x", formActionOrigins, request: { ...request, surface: hostile } }),
      1,
    ],
    [
      "address",
      approvalPage({
        userCode: "x",
        formActionOrigins,
        request: { ...request, fromAddress: hostile },
      }),
      1,
    ],
    ["identity provider's error", signInFailedPage({ message: hostile }), 1],
    [
      "version",
      landingPage({
        publicUrl: "https://gw.example.com",
        identityProviderHost: "i",
        version: hostile,
      }),
      1,
    ],
    [
      "identity provider",
      landingPage({ publicUrl: "u", identityProviderHost: hostile, version: "1" }),
      1,
    ],
  ];
  test.each(shown)("%s is escaped wherever it stands", (_what, page, times) => {
    expect(page.html).not.toContain("<script");
    expect(page.html.split(escaped)).toHaveLength(times + 1);
  });

  test("of any kind leaves the elements of the page as they are", () => {
    const expected = elementsWith("");
    const signs = ["<", ">", '"', "'", "&", ";", "/", "=", " ", "a", "x"];
    assert(
      property(oneof(string(), string({ unit: constantFrom(...signs) })), (text) => {
        // Eight letters are shown in groups, with elements of their own.
        pre(!/^[a-z]{8}$/i.test(text.replaceAll(/[\s-]/g, "")));
        expect(elementsWith(text)).toEqual(expected);
      }),
    );
  });
});

/** The tags of an approval page that shows a text wherever it can. */
function elementsWith(text: string) {
  const page = approvalPage({
    userCode: `${text} `,
    formActionOrigins,
    request: { ...request, surface: text },
    notice: text,
    now,
  });
  return page.html.match(/<\/?[a-z][^\s>]*/gi);
}

function policyOf(page: Page): Record<string, string> {
  const directives = (page.headers["content-security-policy"] ?? "").split("; ");
  return Object.fromEntries(
    directives.map((directive) => {
      const blank = directive.indexOf(" ");
      return [directive.slice(0, blank), directive.slice(blank + 1)];
    }),
  );
}
