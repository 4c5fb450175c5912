// Calls whose record a test looks at: each with a prompt, a person and a request id of its own, which are the same word; and what
// their records have in common.
import { expect } from "bun:test";
import { type ByPrompt, prompting } from "./by-prompt.ts";
import { ask, type CallInit } from "./calls.ts";
import type { Attributes, RecordCollector } from "./collector-of-records.ts";
import { fedStream, type FedStream, slowly, started } from "./metered-answers.ts";
import type { Scene } from "./scene.ts";
import { model } from "./spending.ts";
import { untilTrue } from "./until-true.ts";

/** What every record says of who sends it. */
export const labels = { team: "platform" };

/** For `telemetry:`, with a collector that is told of requests and of nothing else. */
export const recordsTo = ({ url }: RecordCollector) => ({
  forward_to: [{ url, metrics: false, requests: true }],
  resource_attributes: labels,
});

type Asked = Pick<Scene, "gateway" | "bearer">;

/** Who asks. */
export function clientOf(id: string) {
  return { sub: id, email: `${id}@example.com`, groups: ["eng", "ops"] };
}

/** Sends a call under this id. */
export async function send(scene: Asked, id: string, init: CallInit & { groups?: string[] } = {}) {
  const { groups, ...rest } = init;
  const bearer = await scene.bearer({ ...clientOf(id), ...(groups && { groups }) });
  return ask(scene, model, {
    bearer,
    ...rest,
    fields: { ...prompting(id), ...init.fields },
    headers: { "x-client-request-id": id, ...init.headers },
  });
}

/** The same, read to its end, whatever that is. */
export async function sent(...given: Parameters<typeof send>): Promise<number> {
  const response = await send(...given);
  await response.text().catch(() => undefined);
  return response.status;
}

/** Sends one that the client gives up when `isTime`. */
export async function givenUp(scene: Asked, id: string, isTime: () => boolean): Promise<void> {
  const hangUp = new AbortController();
  const call = send(scene, id, { signal: hangUp.signal }).catch(() => "gone");
  await untilTrue(isTime);
  hangUp.abort();
  expect(await call).toBe("gone");
}

export const number: number = expect.any(Number);

/** What every record has, and how it is for a request that was answered well. */
export const always = (id: string): Attributes => ({
  "user.id": id,
  "user.email": `${id}@example.com`,
  "user.groups": "eng,ops",
  request_id: id,
  "gen_ai.operation.name": "chat",
  "gen_ai.request.model": model,
  "http.response.status_code": 200,
  "claude_gateway.ending": "complete",
  "claude_gateway.attempts": 1,
  "claude_gateway.duration_seconds": number,
});
/** Who answered it. */
export const from = (upstream: string): Attributes => ({
  "gen_ai.provider.name": "anthropic",
  "claude_gateway.upstream.name": upstream,
  "claude_gateway.upstream.provider": "anthropic",
  "claude_gateway.upstream.model": model,
});
/** What a stream adds that has begun. */
export const asStream: Attributes = {
  "gen_ai.request.stream": true,
  "gen_ai.response.id": "msg_1",
  "claude_gateway.first_byte_seconds": number,
  "gen_ai.response.time_to_first_chunk": number,
};
/** What it used, and what that cost. */
export const usedTokens = (input: number, output: number, cents: number): Attributes => ({
  "gen_ai.usage.input_tokens": input,
  "gen_ai.usage.output_tokens": output,
  "claude_gateway.usage.input_tokens": input,
  "claude_gateway.cost.cents": cents,
});

/** An answer in one piece, and what its model read and wrote. */
export const wholeAnswer = {
  id: "msg_7",
  type: "message",
  model: "claude-sonnet-4-6-20260101",
  stop_reason: "end_turn",
  content: [{ type: "text", text: "hello" }],
  usage: {
    input_tokens: 100,
    output_tokens: 3,
    cache_read_input_tokens: 2_000,
    cache_creation_input_tokens: 50,
  },
};

/** The answer to a prompt is a stream, for which the model has read 200 tokens. */
export function streamFor(id: string, on: ByPrompt): FedStream {
  const stream = fedStream();
  on.on(id, () => stream.response);
  // Bun sends the head of an answer with its first bytes.
  stream.send(started(200));
  return stream;
}

/** That a gateway, which it stops, has made one record of each of its requests: also of those whose client hangs up in between. */
export async function expectOneRecordEach(
  scene: Scene,
  { on, collector }: { on: ByPrompt; collector: RecordCollector },
): Promise<void> {
  const hasty = Array.from({ length: 60 }, (_, index) => {
    const id = `hasty-${index}`;
    on.on(id, slowly(40));
    const fields = index % 2 === 0 ? { stream: true } : {};
    return sent(scene, id, { signal: AbortSignal.timeout(index), fields }).catch(() => "gone");
  });
  expect(await Promise.all(hasty)).toContain("gone");
  expect(await scene.gateway.stop()).toBe(0);
  const recorded = collector.records().map(({ attributes }) => String(attributes["request_id"]));
  const audited = scene.gateway.audit("inference").map((event) => String(event["request_id"]));
  expect(recorded.toSorted()).toEqual(audited.toSorted());
  expect(new Set(recorded).size).toBe(recorded.length);
  // Nothing was broken off.
  const endings = collector
    .records()
    .filter(({ attributes }) => String(attributes["request_id"]).startsWith("hasty-"))
    .map(({ attributes }) => attributes["claude_gateway.ending"]);
  expect(endings).not.toContain("broken");
}
