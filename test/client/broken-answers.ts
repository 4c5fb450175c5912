// Answers that break off: the provider's stream ends in the middle, by a reset or as if everything had been said. The gateway
// ends its own with an `event: error`; here is what the client makes of that.
import type { Check } from "./checks.ts";
import { credentialsIn } from "./credentials.ts";
import type { Scene } from "./scene.ts";
import { enterLine, untilShown } from "./screen.ts";
import type { Place } from "./session-endings.ts";
import type { BreakOff } from "./upstream.ts";

const answerSecondsMax = 60;

/** Long enough for what the upstream said to be read before its connection is reset. */
const pauseMs = 150;

const ways: Record<BreakOff, string> = {
  reset: "a stream is reset",
  end: "a stream ends before its message",
};

/** Each thing that a developer would notice is one check. The upstream answers those who do not want a stream. */
export async function checkBrokenAnswers(
  { base, client, upstream, answer }: Scene,
  { place, prompt, check }: { place: Place; prompt: string; check: Check },
): Promise<void> {
  const { workplace, terminal } = place;
  upstream.pauseMs = pauseMs;
  for (const breaksOff of ["reset", "end"] as const) {
    upstream.breaksOff = breaksOff;
    const way = ways[breaksOff];
    const said = await streamed();
    check(
      `${way}: the gateway hands on its first word, and an error at the end`,
      said.includes('"text":"hello"') &&
        /\nevent: error\ndata: \{"type":"error".*\}\n\n$/.test(said),
      said,
    );

    const before = upstream.calls.length;
    const printed = await workplace.run([client, "-p", prompt], answerSecondsMax);
    check(
      `${way}: \`claude -p\` prints the whole answer and nothing else`,
      printed.exitCode === 0 && printed.output.trim() === answer,
      printed.output,
    );
    const asked = upstream.calls.slice(before).map(({ stream }) => stream === true);
    check(
      `${way}: the client had asked once more, for an answer in one piece`,
      Bun.deepEquals(asked, [true, false]),
      JSON.stringify(asked),
    );

    const question = `${prompt}, though ${way}`;
    const shown = new RegExp(`❯ ${question}\\s+● ${answer}\\s[^●]*$`);
    await enterLine(terminal, question);
    const screen = await untilShown(terminal, shown, answerSecondsMax);
    check(`${way}: the terminal shows the whole answer`, shown.test(screen), screen);
  }
  upstream.breaksOff = undefined;

  async function streamed(): Promise<string> {
    const { jwt } = await credentialsIn(workplace);
    const response = await fetch(`${base}/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${jwt}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-haiku-4-5",
        max_tokens: 16,
        stream: true,
        messages: [{ role: "user", content: prompt }],
      }),
    });
    return response.text();
  }
}
