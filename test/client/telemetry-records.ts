// What the gateway says of each inference request, held against what the client says of the same one, the upstream's answer, and
// the person.
import { checkAll } from "./checks.ts";
import type { Attributes } from "./collector.ts";
import type { Scene } from "./scene.ts";
import type { TelemetryJourney } from "./telemetry-journey.ts";
import { has, identityOf, told } from "./telemetry-told.ts";
import { upstreamRequestId, usage } from "./upstream.ts";

/** Milliseconds by which two clocks may differ that both are read in whole milliseconds. */
const clockMs = 2;
/** How much later than the client the gateway may find that an answer is over. */
const lateMs = 500;

/** One request as the gateway and as the client tell of it. */
type Pair = { own: Attributes; clients: Attributes };

export function checkRecords(
  { upstream }: Scene,
  { collector, person, check }: TelemetryJourney,
): void {
  const { records, events } = told(collector);
  const pairs = records.flatMap(({ attributes: own }): Pair[] =>
    events
      .filter(({ attributes }) => attributes["request_id"] === own["request_id"])
      .map(({ attributes: clients }) => ({ own, clients })),
  );
  const counts = [upstream.calls, records, events, pairs].map(({ length }) => length);
  check(
    "every answer has one record of the gateway's and one event of the client's, with the same request_id",
    pairs.length >= 3 && new Set(counts).size === 1,
    `calls, records, events, pairs: ${counts.join(", ")}`,
  );
  const all = (name: string, holds: (pair: Pair) => boolean) => checkAll(check, name, pairs, holds);

  all("the record has the person's id, e-mail address and groups", ({ own }) =>
    has(own, identityOf(person)),
  );
  all("the record's session is the client's", ({ own, clients }) =>
    isSame(own, "session.id", clients, "session.id"),
  );
  all(
    "the record's models are the one that the client asked for and the one that the upstream was asked for",
    ({ own, clients }) =>
      isSame(own, "gen_ai.request.model", clients, "model") &&
      upstream.calls.some(({ model }) => model === own["claude_gateway.upstream.model"]) &&
      has(own, { "claude_gateway.upstream.request_id": upstreamRequestId }),
  );
  all("the record's tokens are those of the upstream's answer", ({ own }) => has(own, answered));
  all(
    "the record's tokens and cost are those that the client counts",
    ({ own, clients }) =>
      isSame(own, "claude_gateway.usage.input_tokens", clients, "input_tokens") &&
      isSame(own, "gen_ai.usage.output_tokens", clients, "output_tokens") &&
      isSame(own, "gen_ai.usage.cache_read.input_tokens", clients, "cache_read_tokens") &&
      isSame(own, "gen_ai.usage.cache_creation.input_tokens", clients, "cache_creation_tokens") &&
      // In whole millionths of a dollar, as the client has it.
      numberIn(clients, "cost_usd_micros") > 0 &&
      Math.round(10_000 * numberIn(own, "claude_gateway.cost.cents")) ===
        clients["cost_usd_micros"],
  );
  all("the record's times are the upstream's, and within those of the client", (pair) =>
    arePlausible(pair, upstream.pauseMs),
  );
  const reasons = pairs.map(({ own }) => String(own["gen_ai.response.finish_reasons"])).toSorted();
  check(
    "the records say why the model stopped: once for a tool, else at its end",
    Bun.deepEquals(
      reasons,
      reasons.map((_, index) => (index < reasons.length - 1 ? "end_turn" : "tool_use")),
    ),
    reasons.join(", "),
  );
}

/** The attributes that the upstream's answer leads to. */
const answered: Attributes = {
  "http.response.status_code": 200,
  "claude_gateway.ending": "complete",
  "claude_gateway.usage.input_tokens": usage.input_tokens,
  "gen_ai.usage.input_tokens":
    usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
  "gen_ai.usage.cache_read.input_tokens": usage.cache_read_input_tokens,
  "gen_ai.usage.cache_creation.input_tokens": usage.cache_creation_input_tokens,
  "gen_ai.usage.output_tokens": usage.output_tokens,
};

function arePlausible({ own, clients }: Pair, pauseMs: number): boolean {
  const firstByteMs = 1000 * numberIn(own, "claude_gateway.first_byte_seconds");
  const durationMs = 1000 * numberIn(own, "claude_gateway.duration_seconds");
  return (
    firstByteMs >= pauseMs - clockMs &&
    firstByteMs <= numberIn(clients, "ttft_ms") + clockMs &&
    durationMs >= firstByteMs + pauseMs - clockMs &&
    durationMs <= numberIn(clients, "duration_ms") + lateMs
  );
}

/** NaN, which compares with nothing, where there is none. */
function numberIn(attributes: Attributes, key: string): number {
  const value = attributes[key];
  return typeof value === "number" ? value : NaN;
}

function isSame(own: Attributes, ownKey: string, clients: Attributes, clientsKey: string): boolean {
  return own[ownKey] !== undefined && own[ownKey] === clients[clientsKey];
}
