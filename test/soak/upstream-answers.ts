// What the upstreams of the soak answer: as many cents of tokens as they are asked for, at once or over a while; and the ways in
// which an answer can be broken. The broken ones are of two kinds: seen before a byte went to the developer, or after.
import { answerInFull, started, stopped, used, wrote } from "../support/metered-answers.ts";
import { eventStream, type Seen } from "../support/scene.ts";

type Answer = (seen: Pick<Seen, "body">) => Response | Promise<Response>;

const streamHeaders = { "content-type": "text/event-stream" };

/** A whole answer at once; a stream over as many milliseconds as the prompt says (`for 500 ms`), else in one piece. */
export const inTime: Answer = (seen) => {
  const text = Buffer.from(seen.body).toString("latin1");
  const lastsMs = Number(/for (\d+) ms/.exec(text)?.[1] ?? 0);
  if (lastsMs === 0 || !text.includes('"stream":true')) return answerInFull(seen);
  const cents = Number(/"max_tokens":(\d+)/.exec(text)?.[1] ?? 1);
  return new Response(
    async function* () {
      yield events([started(0)]);
      for (let part = 0; part < 10; part++) {
        await Bun.sleep(lastsMs / 10);
        yield events([wrote("word ".repeat(20))]);
      }
      yield events([used(cents), stopped]);
    },
    { headers: streamHeaders },
  );
};

/** Broken before the developer saw anything: another upstream can still answer. */
export const brokenAtOnce: Readonly<Record<string, Answer>> = {
  "answers 500": () => Response.json({ error: {} }, { status: 500 }),
  "answers 529": () => Response.json({ error: {} }, { status: 529 }),
  "answers HTML": () =>
    new Response("<html>hello</html>", { headers: { "content-type": "text/html" } }),
  "does not answer": () => new Promise<Response>(() => undefined),
  "answers cut JSON": () =>
    new Response('{"type":"message","usage":{"in', {
      headers: { "content-type": "application/json" },
    }),
};

/** Broken after the developer saw the beginning. */
export const brokenLater: Readonly<Record<string, Answer>> = {
  "ends without message_stop": () =>
    new Response(eventStream([started(0), wrote("half of it")]), { headers: streamHeaders }),
  "breaks off": () =>
    new Response(
      async function* () {
        yield events([started(0), wrote("half of it")]);
        await Bun.sleep(50);
        throw new Error("lost");
      },
      { headers: streamHeaders },
    ),
};

function events(list: readonly { type: string }[]): Buffer {
  return Buffer.from(eventStream(list));
}
