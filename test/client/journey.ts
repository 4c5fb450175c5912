// A developer's first minutes with the real client: first-run questions, sign-in through the device flow, a question in the
// terminal, and the same session used by `claude -p`. What stands around it is in run.ts.
import { approve } from "./browser.ts";
import type { Terminal, Workplace } from "./terminal.ts";

const signInSecondsMax = 120;
const printSecondsMax = 60;
const lookEveryMs = 500;

/** What the client asks on the way, and the key that goes on. `avoid` is the choice that must not be under the cursor. */
const questions: readonly { shown: RegExp; avoid?: RegExp; move?: string }[] = [
  { shown: /Connected to/ },
  { shown: /Trust gateway/, avoid: /❯ *No/, move: "Up" },
  { shown: /(Is this .* account|Continue as|Signed in as .*\?)[^]*❯/i },
  { shown: /Yes, I trust this folder/, avoid: /❯ *No/, move: "Down" },
  {
    shown:
      /Choose the text style|Enter to connect|Security notes|Press Enter to continue|Use Claude Code's terminal setup/,
  },
];

export type Check = { name: string; passed: boolean; detail: string };

/** Drives the client against the gateway at `base`. Each thing that a developer would notice is one check. */
export async function journey(
  workplace: Workplace,
  options: { client: string; base: string; person: string; prompt: string; answer: string },
): Promise<Check[]> {
  const checks: Check[] = [];
  const check = (name: string, passed: boolean, detail: string) =>
    checks.push({ name, passed, detail });

  const terminal = workplace.openTerminal([options.client]);
  const end = await untilAnswered(terminal, options);
  check(
    "the browser half of the sign-in ends on a page that says so",
    end.approved?.status === 200,
    JSON.stringify(end.approved),
  );
  check("the client says that it is connected", end.connected, end.screen);
  check("a question in the terminal is answered", end.answered, end.screen);

  const printed = await workplace.run([options.client, "-p", options.prompt], printSecondsMax);
  const same = printed.exitCode === 0 && printed.output.includes(options.answer);
  check("`claude -p` is answered with the same session", same, printed.output);
  return checks;
}

async function untilAnswered(
  terminal: Terminal,
  options: { base: string; person: string; prompt: string; answer: string },
) {
  const state = {
    screen: "",
    approved: undefined as { status: number } | undefined,
    connected: false,
    asked: false,
    answered: false,
  };
  const until = Date.now() + signInSecondsMax * 1000;
  while (Date.now() < until && !state.answered) {
    await Bun.sleep(lookEveryMs);
    const screen = terminal.screen();
    const changed = screen !== state.screen;
    state.screen = screen;
    if (/Connected to/.test(screen)) state.connected = true;

    const code = screen.match(/\b[A-Z]{4}-[A-Z]{4}\b/)?.[0];
    if (code !== undefined && state.approved === undefined) {
      state.approved = await approve(options.base, code, options.person);
      continue;
    }
    const question = questions.find(({ shown }) => shown.test(screen));
    if (question !== undefined) {
      const wrong = question.avoid?.test(screen) ?? false;
      if (wrong || changed)
        terminal.press(wrong && question.move !== undefined ? question.move : "Enter");
      // The screen may look the same after a key that came too early: the next look counts as a change.
      else state.screen = "";
      continue;
    }
    if (state.asked && screen.includes(options.answer)) state.answered = true;
    else if (state.connected && !state.asked && /^\s*❯|\? for shortcuts/m.test(screen)) {
      terminal.type(options.prompt);
      await Bun.sleep(lookEveryMs); // Enter in the same moment would be read as part of a paste
      terminal.press("Enter");
      state.asked = true;
    }
  }
  return state;
}
