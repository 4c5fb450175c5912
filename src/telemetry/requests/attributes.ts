// The attributes of the gateway's own records and spans: every one that there is, with its meaning. No record has another one,
// which is how we know that nothing of a prompt or an answer is in any. Names are those of OpenTelemetry's semantic conventions
// where these have one (the GenAI ones as of https://github.com/open-telemetry/semantic-conventions-genai), those that Claude
// Code's and Claude Desktop's own telemetry has where it says the same, so that both can be joined, and else begin with
// `claude_gateway.`. Values are put in by records.ts, spans.ts and request-attributes.ts.
import type { AttributeValue } from "@opentelemetry/api";

export const attributeMeanings = {
  // Who. Only in records: traces are read by more people than logs are.
  "user.id": "The person's `sub` at the identity provider, as Claude Code names it",
  "user.email": "The person's e-mail address; none when the identity provider tells none",
  "user.groups":
    "The person's groups, joined by commas as Claude Code joins them; left out above 64 groups",
  "claude_gateway.group_count": "How many groups the person is in, where they are left out",

  // What was asked, and by which part of the client.
  request_id:
    "The gateway's id of the request: the one in the answer's `request-id`, in the audit trail and in Claude Code's own events",
  "session.id": "The client's session, as the client says",
  "gen_ai.conversation.id": "The same, on the span of an attempt",
  "gen_ai.agent.id": "The sub-agent that the request comes from, as the client says",
  "http.request.method": "Always `POST`",
  "url.path": "`/v1/messages` or `/v1/messages/count_tokens`",
  "gen_ai.operation.name": "`chat`, or `count_tokens`",
  "gen_ai.request.model":
    "The model that the client asks for; on the span of an attempt the one that the upstream is asked for",
  "gen_ai.request.stream": "`true` for an answer that came as a stream; else left out",

  // How it ended.
  "http.response.status_code":
    "As the client got it, 499 when it had hung up before; on the span of an attempt as the upstream said",
  "error.type":
    "Why it failed: the type of the error that a stream ended with, `broken`, `abandoned`, or the status; of an attempt also `no_answer` and `client_gone`",
  "claude_gateway.ending":
    "`complete`, `broken` when the upstream's answer broke off, `abandoned` when the client hung up",
  "claude_gateway.attempts": "How many times an upstream was asked",
  "claude_gateway.attempt.outcome": "`answered`, `refused`, `no answer` or `client gone`",

  // The upstream whose answer the client got.
  "gen_ai.provider.name": "The provider, in the words of the conventions",
  "claude_gateway.upstream.name": "The upstream's name in the configuration",
  "claude_gateway.upstream.provider": "Its `provider` in the configuration",
  "claude_gateway.upstream.model": "The model that it was asked for",
  "claude_gateway.upstream.request_id": "Its own id of the request",
  "claude_gateway.upstream.cloud_request_id": "The id that its cloud gave the request",
  "gen_ai.response.id": "The id of the message",
  "gen_ai.response.model": "The model that the answer says it is from",
  "gen_ai.response.finish_reasons": "Why the model stopped, such as `end_turn`",

  // What it used. What is 0, and is not all input or output, is left out, and so is what is not `true`.
  "gen_ai.usage.input_tokens":
    "All input tokens: those that were read from a cache and written to one too",
  "gen_ai.usage.output_tokens": "Output tokens",
  "gen_ai.usage.cache_read.input_tokens": "Of the input tokens, those that were read from a cache",
  "gen_ai.usage.cache_creation.input_tokens":
    "Of the input tokens, those that were written to a cache",
  "claude_gateway.usage.input_tokens": "Of the input tokens, those that no cache had to do with",
  "claude_gateway.usage.cache_write_5m_tokens": "Of those written to a cache, for five minutes",
  "claude_gateway.usage.cache_write_1h_tokens": "Of those written to a cache, for an hour",
  "claude_gateway.usage.web_searches": "Web searches",
  "claude_gateway.usage.fast":
    "`true` when it was served in fast mode, which has prices of its own",
  "claude_gateway.usage.estimated":
    "`true` when the answer did not say all of it, so that counts are in part the gateway's estimate",
  "claude_gateway.cost.cents":
    "What it cost in US cents at the operator's prices, calls to other models within it included, to twelve decimals; the ledger has the exact amount",

  // How long it took.
  "claude_gateway.duration_seconds": "From the request's arrival to the end of its answer",
  "claude_gateway.first_byte_seconds": "To the first bytes of a successful answer's body",
  "gen_ai.response.time_to_first_chunk":
    "The same for a stream, from the moment when the answering upstream was asked",
} as const;

export type AttributeName = keyof typeof attributeMeanings;

/** Attributes of one record or span. A name that is not in the table is a mistake that the compiler finds. */
export type RequestAttributes = { [Name in AttributeName]?: AttributeValue };
