// Owns how the browser pages look: one style sheet for all of them, written into each page and allowed by its hash
// (page-frame.ts). No fonts, images or scripts, so a page is one answer and asks for nothing else. Sizes are in rem, so
// that a reader's text size is respected; every colour pair has a contrast of at least 4.5 in both schemes.

export const pageStyle = `
:root {
  color-scheme: light dark;
  --page: #eef1f5;
  --card: #ffffff;
  --line: #d3dae2;
  --ink: #17212b;
  --soft: #4b5966;
  --well: #f4f6f9;
  --accent: #17498f;
  --accent-hover: #103868;
  --on-accent: #ffffff;
  --deny: #a11b2b;
  --deny-hover: #fbecee;
  --caution: #9a6200;
  --caution-well: #fdf5e4;
  --good: #17693f;
  --focus: #17498f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1419;
    --card: #181f27;
    --line: #35414d;
    --ink: #e9eef3;
    --soft: #afbbc7;
    --well: #10161c;
    --accent: #8fbdf7;
    --accent-hover: #b3d3fb;
    --on-accent: #0b1a2c;
    --deny: #ff9da6;
    --deny-hover: #35202a;
    --caution: #e3b04b;
    --caution-well: #2a2415;
    --good: #74d3a0;
    --focus: #8fbdf7;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  padding: 0 0 2rem;
  background: var(--page);
  color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  overflow-wrap: anywhere;
}
header, main { width: 100%; max-width: 36rem; margin: 0 auto; }
header {
  display: flex;
  align-items: center;
  gap: 0.625rem;
  padding: 1rem 1.25rem;
  color: var(--soft);
  font-weight: 600;
}
header svg { flex: none; width: 1.5rem; height: 1.5rem; color: var(--accent); }
main { padding: 1.5rem 1.25rem; background: var(--card); border: solid var(--line); border-width: 1px 0; }
h1 { margin: 0 0 0.75rem; font-size: 1.625rem; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 1.75rem 0 0.5rem; font-size: 1.0625rem; line-height: 1.3; }
p { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
a { color: var(--accent); text-underline-offset: 0.15em; }
a:hover { color: var(--accent-hover); }
code, pre, .code, input { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace; }
code { font-size: 0.9375em; }
code, .whole { display: inline-block; }
.address { display: block; }
pre {
  margin: 0.5rem 0;
  padding: 0.75rem 1rem;
  background: var(--well);
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  font-size: 0.875rem;
  white-space: pre-wrap;
}
ol { margin: 0 0 1rem; padding-left: 1.5rem; }
li + li { margin-top: 0.5rem; }

label { display: block; margin: 0 0 0.375rem; font-weight: 600; }
.code {
  margin: 0 0 1.25rem;
  padding: 0.75rem 1rem;
  background: var(--well);
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  font-weight: 600;
  text-align: center;
  unicode-bidi: isolate;
}
.code-grouped { font-size: clamp(1.75rem, 9vw, 2.5rem); line-height: 1.3; letter-spacing: 0.06em; }
.spoken {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
  user-select: none;
}

dl { margin: 0 0 1.25rem; border-top: 1px solid var(--line); }
dl > div { display: flex; flex-wrap: wrap; column-gap: 1rem; padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
dt { flex: none; min-width: 7.5rem; max-width: 100%; color: var(--soft); }
dd { flex: 1 1 11rem; margin: 0; }
dd p { margin: 0; color: var(--soft); font-size: 0.9375rem; }
dd .differs { color: var(--ink); }

.refusal, .caution, .notice, .message { margin: 0 0 1.25rem; padding: 0.75rem 1rem; border-radius: 0.5rem; }
.refusal { border: 2px solid var(--deny); }
.refusal strong { color: var(--deny); }
.caution { border-left: 0.375rem solid var(--caution); background: var(--caution-well); }
.notice { border: 1px solid var(--line); background: var(--well); }
.notice h2 { margin: 0 0 0.25rem; font-size: 0.9375rem; color: var(--soft); }
.notice p { margin: 0; white-space: pre-line; }
.message { border: 1px solid var(--line); background: var(--well); }
.outcome { display: flex; align-items: center; gap: 0.75rem; }
.outcome svg { flex: none; width: 2rem; height: 2rem; }
.good svg { color: var(--good); }
.bad svg { color: var(--deny); }

input {
  display: block;
  width: 100%;
  min-height: 3.25rem;
  margin: 0 0 1rem;
  padding: 0.5rem 1rem;
  background: var(--card);
  border: 2px solid var(--soft);
  border-radius: 0.5rem;
  color: var(--ink);
  font-size: 1.5rem;
  font-weight: 600;
  letter-spacing: 0.06em;
  text-transform: uppercase;
}
.hint { margin: 0 0 0.5rem; color: var(--soft); }
.actions { display: grid; grid-auto-rows: 1fr; gap: 0.75rem; margin: 0; }
button {
  min-height: 3.25rem;
  padding: 0.625rem 0.75rem;
  background: var(--accent);
  border: 2px solid var(--accent);
  border-radius: 0.5rem;
  color: var(--on-accent);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
  text-wrap: balance;
}
button:hover { background: var(--accent-hover); border-color: var(--accent-hover); }
button.deny { background: var(--card); border-color: var(--deny); color: var(--deny); }
button.deny:hover { background: var(--deny-hover); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; }

@media (min-width: 40rem) {
  body { padding-top: 4vh; }
  header { padding: 1rem 0; }
  main { padding: 2rem 2.25rem 2.25rem; border-width: 1px; border-radius: 0.75rem; }
  dt { min-width: 8.5rem; }
  .two { grid-template-columns: 1fr 1fr; }
}
@media (prefers-reduced-motion: no-preference) {
  button { transition: background-color 0.12s, border-color 0.12s; }
}
`;
