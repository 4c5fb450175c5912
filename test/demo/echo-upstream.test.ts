// The demo's echo as a client of the Messages API sees it.
import { afterAll, expect, test } from "bun:test";
import { startEchoUpstream } from "../../src/demo/echo-upstream.ts";

const echo = startEchoUpstream({ apiKey: "echo-key", wordPauseMs: 0 });
afterAll(() => echo.stop());

const question = {
  model: "claude-haiku-4-5",
  max_tokens: 200,
  messages: [{ role: "user", content: "good morning" }],
};

function post(body: unknown, o: { path?: string; apiKey?: string } = {}): Promise<Response> {
  return fetch(echo.url + (o.path ?? "/v1/messages"), {
    method: "POST",
    headers: { "x-api-key": o.apiKey ?? "echo-key", "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** The text and stop reason of a whole message. */
async function readMessage(answer: Response) {
  const message: Message = JSON.parse(await answer.text());
  return { ...message, text: message.content.map((block) => block.text).join("") };
}
type Message = {
  content: { type: "text"; text: string }[];
  stop_reason: string;
  usage: { output_tokens: number };
};

/** Reads a body of server-sent events strictly: one `event` line, one `data` line with JSON, a blank line. */
function readEvents(text: string) {
  expect(text.endsWith("\n\n")).toBe(true);
  return text
    .slice(0, -2)
    .split("\n\n")
    .map((block) => {
      const [, name, data] = /^event: (\w+)\ndata: (.+)$/.exec(block) ?? [];
      const event = JSON.parse(data ?? "null");
      expect(event.type).toBe(name);
      return event;
    });
}

test("a stream has the events of the Messages API in their order, and repeats the prompt", async () => {
  const answer = await post({ ...question, stream: true });
  expect(answer.headers.get("content-type")).toStartWith("text/event-stream");
  const events = readEvents(await answer.text());
  const deltas = events.filter((event) => event.type === "content_block_delta");
  const names = events.map((event) => event.type).filter((type) => type !== "content_block_delta");
  expect(names).toEqual([
    "message_start",
    "content_block_start",
    "ping",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
  expect(deltas.length).toBeGreaterThan(5);
  expect(deltas.map((event) => event.delta.text).join("")).toContain("“good morning”");

  const { message } = events[0];
  expect(message).toMatchObject({ type: "message", role: "assistant", model: question.model });
  expect(message.content).toEqual([]);
  expect(message.usage.input_tokens).toBeGreaterThan(0);
  expect(events.at(-2)).toMatchObject({
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: deltas.length },
  });
});

test("without stream the same text comes as one JSON message", async () => {
  const message = await readMessage(await post(question));
  expect(message).toMatchObject({
    type: "message",
    role: "assistant",
    stop_reason: "end_turn",
    content: [{ type: "text", text: expect.stringContaining("“good morning”") }],
  });
  expect(message.usage.output_tokens).toBeGreaterThan(5);
});

test("max_tokens ends the answer, and the stop reason says so", async () => {
  const message = await readMessage(await post({ ...question, max_tokens: 1 }));
  expect(message.text.trim()).toBe("Hello…");
  expect(message.stop_reason).toBe("max_tokens");
});

test("the last thing a person typed is repeated, without an agent's reminders around it", async () => {
  const messages = [
    { role: "user", content: "first" },
    { role: "assistant", content: [{ type: "text", text: "an answer" }] },
    {
      role: "user",
      content: [
        { type: "text", text: "<system-reminder>be kind\n</system-reminder>" },
        { type: "text", text: "second <system-reminder>x</system-reminder>\n thing" },
        { type: "tool_result", tool_use_id: "t", content: "output" },
      ],
    },
  ];
  const message = await readMessage(await post({ ...question, messages }));
  expect(message.text).toContain("“second thing”");
});

test("a long prompt is cut between characters, not inside one", async () => {
  const messages = [{ role: "user", content: "😀".repeat(1_000) }];
  const message = await readMessage(await post({ ...question, messages }));
  expect(message.text).toContain(`“${"😀".repeat(400)}…”`);
});

test("count_tokens answers a number and needs no max_tokens", async () => {
  const { max_tokens: _, ...counted } = question;
  const answer = await post(counted, { path: "/v1/messages/count_tokens" });
  expect(await answer.json()).toEqual({
    input_tokens: Math.ceil(JSON.stringify(counted).length / 4),
  });
});

test.each([
  ["a wrong key", question, { apiKey: "guess" }, 401, "authentication_error"],
  ["another path", question, { path: "/v1/complete" }, 404, "not_found_error"],
  ["a body that is no JSON", "{", {}, 400, "invalid_request_error"],
  ["a body that is a list", "[]", {}, 400, "invalid_request_error"],
  ["no model", { ...question, model: undefined }, {}, 400, "invalid_request_error"],
  ["no messages", { ...question, messages: [] }, {}, 400, "invalid_request_error"],
  ["no max_tokens", { ...question, max_tokens: undefined }, {}, 400, "invalid_request_error"],
  ["max_tokens 0", { ...question, max_tokens: 0 }, {}, 400, "invalid_request_error"],
] as const)(
  "%s is refused in the envelope of the Messages API",
  async (_, body, o, status, type) => {
    const answer = await post(body, o);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({
      type: "error",
      error: { type, message: expect.stringMatching(/./) },
      request_id: expect.stringMatching(/^req_/),
    });
  },
);

test("a request for a safety check is refused by its name, so that the client makes its own", async () => {
  const answer = await post({ ...question, safeguards: {} });
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain("safeguards");
});

test("words leave one by one, not at the end", async () => {
  const slow = startEchoUpstream({ apiKey: "echo-key", wordPauseMs: 20 });
  const answer = await fetch(`${slow.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": "echo-key" },
    body: JSON.stringify({ ...question, stream: true }),
  });
  const arrivals: number[] = [];
  for await (const _ of answer.body ?? []) arrivals.push(performance.now());
  expect(arrivals.length).toBeGreaterThan(5);
  expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(100);
  await slow.stop();
});
