// A developer's first conversation with the real client: sign-in, a question in the terminal, and the same session used by
// `claude -p`. What stands around it is in scene.ts.
import type { Check } from "./checks.ts";
import type { Scene } from "./scene.ts";
import { enterLine, untilShown } from "./screen.ts";
import { signIn } from "./sign-in.ts";

const answerSecondsMax = 60;

/** Each thing that a developer would notice is one check. */
export async function journey(
  scene: Scene,
  { person, prompt, check }: { person: string; prompt: string; check: Check },
): Promise<void> {
  const workplace = await scene.openWorkplace();
  const terminal = workplace.openTerminal([scene.client]);
  await signIn(terminal, { base: scene.base, person, check });

  await enterLine(terminal, prompt);
  const screen = await untilShown(terminal, new RegExp(scene.answer), answerSecondsMax);
  check("a question in the terminal is answered", screen.includes(scene.answer), screen);

  const printed = await workplace.run([scene.client, "-p", prompt], answerSecondsMax);
  const same = printed.exitCode === 0 && printed.output.includes(scene.answer);
  check("`claude -p` is answered with the same session", same, printed.output);
}
