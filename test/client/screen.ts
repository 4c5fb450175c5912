// Using a program through its screen: type a line, wait for a picture, open a view and leave it again.
import type { Terminal } from "./terminal.ts";

const lookEveryMs = 250;
const viewSecondsMax = 20;
const pagesMax = 10;
const pageSecondsMax = 2;

/** The screen as soon as it shows `picture`, or as it is when the time is up. */
export async function untilShown(
  terminal: Terminal,
  picture: RegExp,
  seconds: number,
): Promise<string> {
  return untilScreen(terminal, (screen) => picture.test(screen), seconds);
}

/** Types a line and sends it. */
export async function enterLine(terminal: Terminal, line: string): Promise<void> {
  terminal.type(line);
  await Bun.sleep(2 * lookEveryMs); // Enter in the same moment would be read as part of a paste
  terminal.press("Enter");
}

/** Shown where a conversation ends with this, said by the client. */
export function lastSaid(words: string): RegExp {
  return new RegExp(`● ${RegExp.escape(words)}[^●]*$`);
}

/** The pages of a view: the one that is wanted, and the key that turns to the next. */
type Pages = { wanted: RegExp; key: string };

/**
 * Opens a view of the client by its command, turns its pages where it has some, and leaves it. Returns what was wanted, or
 * what was shown when the time was up.
 */
export async function look(
  terminal: Terminal,
  { command, view, pages }: { command: string; view: RegExp; pages?: Pages },
): Promise<string> {
  await enterLine(terminal, command);
  const opened = await untilShown(terminal, view, viewSecondsMax);
  const screen = pages === undefined ? opened : await turn(terminal, pages);
  terminal.press("Escape");
  await untilScreen(terminal, (now) => !view.test(now), viewSecondsMax);
  return screen;
}

async function turn(terminal: Terminal, { wanted, key }: Pages): Promise<string> {
  let screen = terminal.screen();
  for (let pressed = 0; pressed < pagesMax && !wanted.test(screen); pressed += 1) {
    terminal.press(key);
    screen = await untilShown(terminal, wanted, pageSecondsMax);
  }
  return screen;
}

async function untilScreen(
  terminal: Terminal,
  wanted: (screen: string) => boolean,
  seconds: number,
): Promise<string> {
  const until = Date.now() + seconds * 1000;
  let screen = terminal.screen();
  while (!wanted(screen) && Date.now() < until) {
    await Bun.sleep(lookEveryMs);
    screen = terminal.screen();
  }
  return screen;
}
