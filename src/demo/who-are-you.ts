// The pages of the demo's identity provider: "Who are you?" with a button for each person, and one for what cannot go
// on. No JavaScript and no password. The flow around them is identity-provider.ts.
import { createHash } from "node:crypto";
import { people } from "./people.ts";

const style = `
:root { color-scheme: light dark; --ink: #1d2433; --paper: #f4f1ea; --card: #fffdf8; --line: #c9c2b2; --accent: #0f5c66; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece7db; --paper: #14181f; --card: #1d232d; --line: #465062; --accent: #7fd1d8; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; }
button { display: block; width: 100%; margin-top: .75rem; padding: .875rem 1rem; border: 1px solid var(--line); border-radius: .625rem; background: transparent; color: inherit; font: inherit; text-align: left; cursor: pointer; }
button:hover, button:focus-visible { border-color: var(--accent); outline: 2px solid var(--accent); }
button small { display: block; opacity: .75; }
.note { margin: 1.5rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; }
`;
const styleHash = createHash("sha256").update(style).digest("base64");

/** The page that asks who signs in. `formTarget` is where the answer is posted; `clientOrigin` is where that leads on to. */
export function whoAreYouPage(o: { formTarget: string; clientOrigin: string }): Response {
  const buttons = people.map(
    (person) =>
      `<button name="login" value="${escapeHtml(person.sub)}">${escapeHtml(person.name)}` +
      `<small>${escapeHtml(person.email)}, group ${escapeHtml(person.groups.join(", "))}</small></button>`,
  );
  return page({
    status: 200,
    title: "Who are you?",
    body:
      `<p>Pick the person to sign in as.</p><form method="post" action="${escapeHtml(o.formTarget)}">${buttons.join("")}</form>` +
      `<p class="note">This stands in for your company's sign-in page. It belongs to the demo on this machine: nobody here is real, so nobody has a password.</p>`,
    // Browsers hold the redirect after a form to form-action too, so the client's origin is named beside our own.
    formAction: `'self' ${o.clientOrigin}`,
  });
}

/** The page for a request that must not be sent back to any client. HTTP 400. */
export function cannotContinuePage(reason: string): Response {
  return page({
    status: 400,
    title: "This sign-in cannot go on",
    body: `<p>${escapeHtml(reason)}</p>`,
    formAction: "'none'",
  });
}

function page(o: { status: number; title: string; body: string; formAction: string }): Response {
  const html =
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>${o.title} · demo sign-in</title><style>${style}</style></head><body><main><h1>${o.title}</h1>${o.body}</main></body></html>`;
  return new Response(html, {
    status: o.status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${o.formAction}; frame-ancestors 'none'; base-uri 'none'`,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}
