// Which models a request names besides its own: one that a tool consults, those that may answer in its place. Whoever may not
// use a model may not use it in this way either; whether somebody may is policy's question.
import { valueIn } from "../json.ts";
import { fieldText, type MessagesCall } from "./call.ts";

/**
 * What the tools of a request hold when one of them may name a model: tools that providers run have a dated type, of which
 * `advisor_20260301` is the one today that takes a model. Tools of the client never need to be read, and they are long.
 */
const marks = ["_20", "advisor", "\\u00"].map((mark) => Buffer.from(mark));

/**
 * The ids, as the client wrote them: `model` of the entries of `tools` (https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool)
 * and of `fallbacks` (https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback). `fallbacks: "default"` names none: which model
 * answers what was declined is then the provider's choice. Undefined when the fields cannot be read.
 */
export function otherModels(call: MessagesCall): string[] | undefined {
  const named = [
    mayNameModels(call) ? fieldText(call, "tools") : undefined,
    fieldText(call, "fallbacks"),
  ].map((text) => (text === undefined ? [] : modelsIn(text)));
  return named.every((ids) => ids !== undefined) ? named.flat() : undefined;
}

/** Looked for in the bytes: the text of all tools is long, and mostly not needed. */
function mayNameModels({ body, fields: { tools } }: MessagesCall): boolean {
  if (tools === undefined) return false;
  const { valueStart, valueEnd } = tools;
  const bytes = Buffer.from(body.buffer, body.byteOffset + valueStart, valueEnd - valueStart);
  return marks.some((mark) => bytes.includes(mark));
}

/** Of a list of mappings. Undefined for what is no JSON after all: long strings have not been looked into until here. */
function modelsIn(text: string): string[] | undefined {
  const list = valueIn(text);
  if (list === undefined) return undefined;
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  return entries.flatMap((entry) =>
    typeof entry === "object" &&
    entry !== null &&
    "model" in entry &&
    typeof entry.model === "string"
      ? entry.model
      : [],
  );
}
