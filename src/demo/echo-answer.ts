// What the demo's echo understands of a Messages request, and the sentence it answers with. Pure; the HTTP around it is
// echo-upstream.ts.

/** The parts of a Messages request that the echo looks at. Everything else a client sends is left alone. */
type MessagesRequest = {
  model: string;
  max_tokens?: number;
  messages: unknown[];
  stream?: unknown;
  /** Characters of the request body: what the token count is guessed from. */
  characters: number;
};

export type EchoAnswer = {
  model: string;
  inputTokens: number;
  /** The answer in the pieces a stream carries, blanks included: joined, they are the text. One counts as one token. */
  words: string[];
  stopReason: "end_turn" | "max_tokens";
};

const promptCharactersMax = 400;

/**
 * Reads a request body. Returns what is wrong with it as a sentence (for a 400) when it is not a Messages request.
 * `counts` is true for count_tokens, which needs no `max_tokens`.
 */
export function readMessagesRequest(
  text: string,
  o: { counts: boolean },
): MessagesRequest | string {
  const body = parseObject(text);
  if (body === undefined) return "The request body is not a JSON object.";
  const { model, max_tokens, messages, stream, safeguards } = body;
  if (typeof model !== "string" || model === "") return "model: Field required";
  if (!Array.isArray(messages) || messages.length === 0)
    return "messages: at least one message is required";
  // The client asks for a safety check that an echo cannot make. A refusal that names the field makes it do its own.
  if (safeguards !== undefined) return "safeguards: not supported by the demo's echo";
  if (o.counts) return { model, messages, characters: text.length };
  if (typeof max_tokens !== "number" || !Number.isInteger(max_tokens) || max_tokens < 1) {
    return "max_tokens: a whole number greater than 0 is required";
  }
  return { model, max_tokens, messages, stream, characters: text.length };
}

/** A guess at the request's tokens: one for four characters of its body. */
export function countTokens(request: MessagesRequest): number {
  return Math.ceil(request.characters / 4);
}

/** The answer to a request: its last user text repeated, cut to `max_tokens` words. */
export function echoAnswer(request: MessagesRequest): EchoAnswer {
  const prompt = lastUserText(request.messages);
  const said = prompt === "" ? "You said nothing I can repeat" : `You said “${prompt}”`;
  const sentence = `Hello… hello! ${said} — and all I can do is echo it; everything between you and me is the real gateway.`;
  const all = sentence.match(/\S+\s*/g) ?? [];
  const words = all.slice(0, request.max_tokens);
  return {
    model: request.model,
    inputTokens: countTokens(request),
    words,
    stopReason: words.length < all.length ? "max_tokens" : "end_turn",
  };
}

/**
 * What the person typed last. Coding agents put reminders in angle-bracket blocks around it, and tool results after it;
 * those are left out.
 */
function lastUserText(messages: unknown[]): string {
  const texts = messages
    .filter((message) => isObject(message) && message["role"] === "user")
    .flatMap((message) => textsOf(message))
    .map((text) =>
      text
        .replaceAll(/<([a-z][a-z-]*)>[\s\S]*?<\/\1>/g, " ")
        .replaceAll(/\s+/g, " ")
        .trim(),
    )
    .filter((text) => text !== "");
  const last = Array.from(texts.at(-1) ?? "");
  return last.length <= promptCharactersMax
    ? last.join("")
    : `${last.slice(0, promptCharactersMax).join("")}…`;
}

function textsOf(message: unknown): string[] {
  const content = isObject(message) ? message["content"] : undefined;
  if (typeof content === "string") return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((block: unknown) =>
    isObject(block) && typeof block["text"] === "string" ? [block["text"]] : [],
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
