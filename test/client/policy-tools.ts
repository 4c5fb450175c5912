// What policies do to tools: which the client offers to the model, and what it does when the model uses one all the same and
// the developer allows it.
import type { Check } from "./checks.ts";
import { expected, marker } from "./policies.ts";
import type { Seat } from "./seat.ts";
import { type Block, blocksOf, type MessagesCall, tellToUse, type ToolUse } from "./upstream.ts";

const printSecondsMax = 60;
const webTools = ["WebFetch", "WebSearch"];

/** Under the policy of the person in this seat. */
export async function checkTools(seat: Seat, check: Check): Promise<void> {
  const { denies, environment } = expected[seat.role];
  const { base, upstream } = seat.scene;

  const printenv = await resultOf(seat, { name: "Bash", input: { command: `printenv ${marker}` } });
  check(
    `the variable is "${environment}" where tools run`,
    said(printenv) === environment,
    said(printenv),
  );
  const offered = namesIn(upstream.calls.at(-1));
  const hidden = webTools.filter((tool) => denies.includes(tool));
  check(
    `the model is not offered: ${hidden.join(", ")}`,
    webTools.every((tool) => offered.has(tool) !== hidden.includes(tool)),
    [...offered].join("\n"),
  );

  const url = `${base}/healthz`;
  const curl = await resultOf(seat, { name: "Bash", input: { command: `curl -sS ${url}` } });
  if (!denies.includes("Bash(curl *)")) {
    check("`curl` runs", said(curl) === "ok", said(curl));
    return;
  }
  check("`curl` is refused", isRefusal(curl, /^Permission to use Bash .* denied/), said(curl));
  const webFetch = await resultOf(seat, { name: "WebFetch", input: { url, prompt: "read it" } });
  check("`WebFetch` is refused", isRefusal(webFetch, /No such tool/), said(webFetch));
}

/** Has the model use a tool that the developer allows. Returns what the client reports to the model. */
async function resultOf(
  { scene: { client, upstream }, workplace }: Seat,
  use: ToolUse,
): Promise<Block | undefined> {
  const before = upstream.calls.length;
  const command = [client, "-p", tellToUse(use), "--allowedTools", use.name];
  await workplace.run(command, printSecondsMax);
  return upstream.calls
    .slice(before)
    .flatMap(({ messages }) => messages.flatMap(blocksOf))
    .findLast(({ type }) => type === "tool_result");
}

/** What the tool, or the client in its place, said: the first line, since the client adds words of its own for the model. */
function said(result: Block | undefined): string {
  const [part] = blocksOf(result ?? {});
  return part?.text?.split("\n")[0] ?? "";
}

function isRefusal(result: Block | undefined, reason: RegExp): boolean {
  return result?.is_error === true && reason.test(said(result));
}

/** Names of the tools that a call holds, and of those that it says can be loaded, which stand on lines of their own. */
function namesIn(call: MessagesCall | undefined): ReadonlySet<string> {
  const lines = call?.messages.flatMap(blocksOf).flatMap(({ text = "" }) => text.split("\n")) ?? [];
  return new Set([...lines, ...(call?.tools ?? []).map(({ name }) => name)]);
}
