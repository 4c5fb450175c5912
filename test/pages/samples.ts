// One of each page, and the hard cases: everything at once, the longest texts, no details. Shared by the tests of this folder.
import {
  approvalPage,
  codeEntryPage,
  deniedPage,
  interruptedPage,
  landingPage,
  refusals,
  signedInPage,
  signInFailedPage,
  signInFailures,
} from "../../src/oauth/pages.ts";

const now = new Date("2026-11-22T17:45:10Z");
const request = {
  surface: "Claude Code",
  askedAt: new Date("2026-11-22T17:43:00Z"),
  fromAddress: "203.0.113.7",
};
const notice = "By signing in you accept the rules.\n\nUse your work account. ";

/** @param identityProviderOrigin where the forms may lead */
export function samplePages(identityProviderOrigin: string) {
  const formActionOrigins = [identityProviderOrigin];
  const code = { userCode: "FCDS-GFNB", formActionOrigins, now };
  return {
    entry: codeEntryPage({ formActionOrigins }),
    refused: codeEntryPage({
      formActionOrigins,
      refusal: refusals.codeNotRecognized,
      notice: notice.padEnd(500, "Sessions are recorded. "),
    }),
    approval: approvalPage({ ...code, request, browserAddress: "203.0.113.7" }),
    elsewhere: approvalPage({
      ...code,
      userCode: "WWWW-WWWW",
      request: { ...request, fromAddress: "2001:db8:85a3:1234:5678:8a2e:370:7334" },
      browserAddress: "198.51.100.23",
    }),
    long: approvalPage({
      ...code,
      userCode: "W".repeat(200),
      notice: "W".repeat(500),
      refusal: refusals.notWaiting,
    }),
    /** Its form may lead to another identity provider than the one that it is sent on to. */
    misled: approvalPage({ ...code, formActionOrigins: ["https://other.example.com"] }),
    denied: deniedPage(),
    signedIn: signedInPage(),
    failed: signInFailedPage({ message: signInFailures.otherBrowser }),
    interrupted: interruptedPage({ userCode: "FCDS-GFNB" }),
    landing: landingPage({
      publicUrl: "https://claude-gateway.corp.example.com",
      identityProviderHost: "login.example.com",
      version: "1.2.3",
    }),
  };
}

export type Sample = keyof ReturnType<typeof samplePages>;
