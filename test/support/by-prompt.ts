// An upstream that answers each prompt as a test says, for tests whose requests are under way side by side.
import type { BentUpstream, Seen } from "./scene.ts";

export type ByPrompt = {
  /** What the requests with this prompt are answered from now on. */
  on(prompt: string, answer: BentUpstream["answer"]): void;
  /** The requests with this prompt so far. */
  seen(prompt: string): Seen[];
};

/** Prompts that nobody has said anything of are answered as the upstream does at the moment. */
export function byPrompt(upstream: BentUpstream): ByPrompt {
  const answers = new Map<string, BentUpstream["answer"]>();
  const { answer: usual } = upstream;
  upstream.answer = (seen) => (answers.get(promptOf(seen)) ?? usual)(seen);
  return {
    on: (prompt, answer) => void answers.set(prompt, answer),
    seen: (prompt) => upstream.seen.filter((one) => promptOf(one) === prompt),
  };
}

/** Members of a call's body. */
export const prompting = (prompt: string) => ({ messages: [{ role: "user", content: prompt }] });

function promptOf({ body }: Seen): string {
  const { messages } = JSON.parse(Buffer.from(body).toString()) as ReturnType<typeof prompting>;
  return messages[0]?.content ?? "";
}
