// Owns what every browser page has around its content: the document, the banner, and the headers that keep it to itself.
// What the pages say lives in pages.ts, how they look in page-style.ts.
import { createHash } from "node:crypto";
import { literalMarkup, markup } from "./markup.ts";
import type { Markup } from "./markup.ts";
import { pageStyle } from "./page-style.ts";

/** A whole answer but for its status: the document and the headers that belong to it. */
export type Page = { html: string; headers: Record<string, string> };

const siteName = "Gateway for Claude Code";

const styleHash = createHash("sha256").update(pageStyle).digest("base64");

/** A gate, ours: two posts, an arch, and the way through. */
const mark = literalMarkup(
  `<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path fill="none" stroke="currentColor" stroke-width="2.25" stroke-linecap="round" d="M4 21V11a8 8 0 0 1 16 0v10M2 21h20M9 21v-9a3 3 0 0 1 6 0v9"/></svg>`,
);

/**
 * Puts content into a document.
 * @param page.title the page's own name; the site's name is added
 * @param page.formAction CSP sources that a form of the page may lead to, redirects included
 */
export function framePage(page: {
  title: string;
  main: Markup;
  formAction: readonly string[];
}): Page {
  // The referrer policy: under the no-referrer of our answers' headers a browser posts `Origin: null`, and one that sends no
  // Sec-Fetch-Site could not show that the form is ours (Fetch, "append a request Origin header"). Other sites, the
  // identity provider among them, still learn nothing: the address holds the code.
  const document = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no">
<meta name="robots" content="noindex">
<meta name="referrer" content="same-origin">
<title>${page.title} · ${siteName}</title>
<style>${literalMarkup(pageStyle)}</style>
</head>
<body>
<header>${mark}<span>${siteName}</span></header>
<main>
${page.main}
</main>
</body>
</html>
`;
  return {
    html: document.html,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": contentSecurityPolicy(page.formAction),
    },
  };
}

/** Nothing may be loaded, framed or run; the one style sheet is named by its hash (CSP Level 3 §2.3.1, §6.7.3). */
function contentSecurityPolicy(formAction: readonly string[]): string {
  return [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "frame-ancestors 'none'",
    `form-action ${formAction.join(" ")}`,
    "base-uri 'none'",
  ].join("; ");
}

/**
 * `form-action` sources for a form that posts to us and is redirected to the identity provider: browsers hold redirects
 * to the list as well. URLs are cut to their origin, duplicates are dropped.
 * @throws TypeError when one is not a URL
 */
export function formActionSources(urls: readonly string[]): string[] {
  // A host may legally contain ";" and ",", which would end the directive (CSP Level 3 §2.3.1: percent-encode them).
  const origins = urls.map((url) =>
    new URL(url).origin.replaceAll(";", "%3B").replaceAll(",", "%2C"),
  );
  return ["'self'", ...new Set(origins)];
}
