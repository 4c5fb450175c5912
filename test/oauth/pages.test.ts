// What each page says, read from its HTML. What all have in common: page-frame.test.ts. How a browser shows them: test/pages/.
import { describe, expect, test } from "bun:test";
import {
  approvalPage,
  codeEntryPage,
  deniedPage,
  interruptedPage,
  landingPage,
  type Page,
  refusals,
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
const entry = codeEntryPage({ formActionOrigins });
const approval = approvalPage({ userCode: "FCDS-GFNB", formActionOrigins, request, now });
const landing = landingPage({
  publicUrl: "https://gw.example.com",
  identityProviderHost: "login.example.com",
  version: "1.2.3",
});
const failed = signInFailedPage({ message: signInFailures.notCompleted });
describe("the code entry page", () => {
  test("posts a code that a person types to /device", () => {
    expect(entry.html).toContain(`<form method="post" action="/device">`);
    expect(entry.html).toMatch(/<input [^>]*name="user_code" type="text"/);
    expect(entry.html).not.toContain("formaction");
  });

  test("helps to type a code and lets nothing correct it", () => {
    for (const attribute of [
      `autocomplete="one-time-code"`,
      `autocapitalize="characters"`,
      `autocorrect="off"`,
      `inputmode="text"`,
      `spellcheck="false"`,
      "required",
    ])
      expect(/<input [^>]*>/.exec(entry.html)?.[0]).toContain(attribute);
  });

  test.each(Object.values(refusals))(
    "shows the refusal as an alert tied to the input: %s",
    (refusal) => {
      const page = codeEntryPage({ formActionOrigins, refusal });
      expect(page.html).toMatch(/<p class="refusal" id="refusal" role="alert">/);
      expect(textOf(page)).toContain(refusal);
      expect(page.html).toContain(`aria-describedby="refusal hint caution"`);
      expect(page.html).toContain("<title>Not accepted: ");
    },
  );

  test("has neither alert nor notice when there is nothing to say", () => {
    expect(entry.html).not.toMatch(/role="alert"|class="notice"/);
  });
});

describe("the approval page", () => {
  test("carries the code as it came, in one hidden input, under two buttons of one form", () => {
    expect(approval.html.match(/<input/g)).toHaveLength(1);
    expect(approval.html).toContain(`<input type="hidden" name="user_code" value="FCDS-GFNB">`);
    expect(approval.html.match(/<form/g)).toHaveLength(1);
    expect(approval.html).toContain(`<form method="post" action="/device">`);
    expect(approval.html.match(/<button/g)).toHaveLength(2);
    expect(approval.html).toContain(`formaction="/device/deny">Deny</button>`);
  });

  test.each(["FCDS-GFNB", "fcdsgfnb", " fcds gfnb "])(
    "shows %j grouped and spells it out",
    (userCode) => {
      const text = textOf(approvalPage({ userCode, formActionOrigins }));
      expect(text).toContain("FCDS-GFNB");
      expect(text).toContain("F C D S, G F N B");
    },
  );

  test("shows what cannot be a code as it came", () => {
    expect(textOf(approvalPage({ userCode: "zz-1", formActionOrigins }))).toContain(" zz-1 ");
  });

  test("says what asks, since when and from which address", () => {
    const text = textOf(approval);
    expect(text).toContain("Requested by Claude Code");
    expect(text).toContain("Requested 2 minutes ago (2026-11-22 17:43 UTC)");
    expect(text).toContain("From address 203.0.113.7");
    expect(approval.html).toContain(`<time datetime="2026-11-22T17:43:00.000Z">`);
  });

  test.each([
    [-30, "less than a minute ago"],
    [0, "less than a minute ago"],
    [59, "less than a minute ago"],
    [60, "1 minute ago"],
    [119, "1 minute ago"],
    [120, "2 minutes ago"],
    [599, "9 minutes ago"],
  ])("calls a request of %d seconds %s", (seconds, age) => {
    const askedAt = new Date(now.getTime() - seconds * 1000);
    const page = approvalPage({
      userCode: "x",
      formActionOrigins,
      request: { ...request, askedAt },
      now,
    });
    expect(textOf(page)).toContain(`Requested ${age} (`);
  });

  test("compares the device's address with the browser's", () => {
    const from = (browserAddress: string) =>
      textOf(approvalPage({ userCode: "x", formActionOrigins, request, browserAddress, now }));
    expect(from("203.0.113.7")).toContain("203.0.113.7 Same as this browser.");
    expect(from("198.51.100.23")).toContain(
      "Not the address of this browser , which is 198.51.100.23.",
    );
    expect(textOf(approval)).not.toContain("this browser");
  });

  test("without a known request says so, and not whether the code exists", () => {
    const text = textOf(approvalPage({ userCode: "BBBB-BBBB", formActionOrigins }));
    expect(text).toContain("There are no details to show for this code.");
    expect(text).not.toMatch(/not recognized|expired/);
  });

  test("warns in words of what an attacker would want", () => {
    expect(textOf(approval)).toContain("If someone sent you the link or the code, choose Deny.");
  });

  test("shows notice and refusal", () => {
    const notice = "First line\nsecond line";
    const page = approvalPage({
      userCode: "x",
      formActionOrigins,
      notice,
      refusal: refusals.notWaiting,
    });
    expect(page.html).toContain("<p>First line\nsecond line</p>");
    expect(textOf(page)).toContain(refusals.notWaiting);
  });
});

describe("the last pages", () => {
  test("say that the person is signed in on success, and only then", () => {
    expect(textOf(signedInPage())).toMatch(/You're signed in\. Return to your device/);
    for (const page of [failed, deniedPage(), entry, approval])
      expect(textOf(page)).not.toMatch(/signed in/i);
  });

  test("say what a denial did", () => {
    expect(textOf(deniedPage())).toContain(
      "You stopped this sign-in. No access was granted, and the code is no longer valid.",
    );
  });

  test("of an interrupted sign-in say that nothing is lost, and lead back with the code", () => {
    const page = interruptedPage({ userCode: 'A"<b>' });
    expect(textOf(page)).toContain("Nothing is lost: your device still waits");
    expect(page.html).toContain(`<form method="get" action="/device">`);
    expect(page.html).toContain(`name="user_code" value="A&quot;&lt;b&gt;"`);
    expect(interruptedPage({}).html).not.toContain("user_code");
  });

  test.each(Object.values(signInFailures))(
    "explain a failure and end with the message: %s",
    (message) => {
      expect(textOf(signInFailedPage({ message }))).toEndWith(
        `We couldn't finish signing you in. Close this tab and try signing in again. If the error persists, share the message below with your IT administrator. ${message}`,
      );
    },
  );
});

describe("the landing page", () => {
  test("says where the gateway runs, who signs people in, and which version it is", () => {
    const text = textOf(landing);
    expect(text).toContain("running at https://gw.example.com");
    expect(text).toContain("Identity provider login.example.com");
    expect(text).toContain("Version 1.2.3");
  });

  test("links to the metadata and the protocol", () => {
    expect(landing.html).toContain(`<a href="/.well-known/oauth-authorization-server">`);
    expect(landing.html).toContain(`<a href="/protocol">`);
  });

  test("shows settings that can be pasted as they are", () => {
    const snippet = /<pre[^>]*>([^]*?)<\/pre>/.exec(landing.html)?.[1] ?? "";
    expect(JSON.parse(snippet.replaceAll("&quot;", `"`))).toEqual({
      forceLoginMethod: "gateway",
      forceLoginGatewayUrl: "https://gw.example.com",
    });
  });
});

/** The text of a page with runs of blanks made one, as a person would read it. */
function textOf(page: Page): string {
  return page.html
    .replace(/<style>[^]*?<\/style>/, "")
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll("&#39;", "'")
    .replaceAll("&quot;", `"`)
    .replaceAll(/\s+/g, " ")
    .trim();
}
