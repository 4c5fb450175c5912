// A developer's first minute with the real client: its first-run questions, the sign-in through the device flow, consent to
// the settings that the gateway hands out. It ends where the client waits for a question.
import { approve } from "./browser.ts";
import type { Check } from "./checks.ts";
import type { Terminal } from "./terminal.ts";

const signInSecondsMax = 120;
const lookEveryMs = 500;

/** Where the client waits for a question, and where it still waits for the browser, below a conversation that there was before. */
const waitsForQuestion = /^\s*❯|\? for shortcuts/m;
const waitsForBrowser = /Waiting for sign-in/;

/** What the client asks on the way, and the key that goes on. `avoid` is the choice that must not be under the cursor. */
const questions: readonly { shown: RegExp; avoid?: RegExp; move?: string }[] = [
  { shown: /Connected to/ },
  { shown: /Trust gateway/, avoid: /❯ *No/, move: "Up" },
  { shown: /(Is this .* account|Continue as|Signed in as .*\?)[^]*❯/i },
  { shown: /Yes, I trust this folder/, avoid: /❯ *No/, move: "Down" },
  { shown: /require approval[^]*Yes, I trust these settings/i, avoid: /❯ *2\. No/, move: "Up" },
  {
    shown:
      /Choose the text style|Enter to connect|Security notes|Press Enter to continue|Use Claude Code's terminal setup/,
  },
];

/** Signs `person` in at the gateway at `base`. Returns every screen on the way, the last one waiting for a question. */
export async function signIn(
  terminal: Terminal,
  { base, person, check }: { base: string; person: string; check: Check },
): Promise<string[]> {
  const screens: string[] = [];
  let approved: { status: number } | undefined;
  let shownBefore = "";
  let ready = false;
  const until = Date.now() + signInSecondsMax * 1000;
  while (Date.now() < until && !ready) {
    await Bun.sleep(lookEveryMs);
    const screen = terminal.screen();
    const changed = screen !== shownBefore;
    shownBefore = screen;
    if (changed) screens.push(screen);

    const code = screen.match(/\b[A-Z]{4}-[A-Z]{4}\b/)?.[0];
    if (code !== undefined && approved === undefined) {
      approved = await approve(base, code, person);
      continue;
    }
    const question = questions.find(({ shown }) => shown.test(screen));
    if (question === undefined) {
      ready =
        approved !== undefined && waitsForQuestion.test(screen) && !waitsForBrowser.test(screen);
      continue;
    }
    const wrong = question.avoid?.test(screen) ?? false;
    if (wrong || changed)
      terminal.press(wrong && question.move !== undefined ? question.move : "Enter");
    // The screen may look the same after a key that came too early: the next look counts as a change.
    else shownBefore = "";
  }
  check(
    "the browser half of the sign-in ends on a page that says so",
    approved?.status === 200,
    JSON.stringify(approved),
  );
  check(
    "the client says that it is connected, and waits for a question",
    ready && screens.some((screen) => /Connected to/.test(screen)),
    screens.at(-1) ?? "",
  );
  return screens;
}
