// What the other telemetry-*.ts look for: the requests among all that the collector was told, and how it is told who somebody is.
import { people } from "../support/idp.ts";
import type { Attributes, Collector, LogRecord, Span } from "./collector.ts";

/** What was told of the requests for answers: the gateway's records, the client's events, and the client's spans. */
export function told(collector: Collector): {
  records: LogRecord[];
  events: LogRecord[];
  requestSpans: Span[];
} {
  return {
    records: collector
      .records("claude-gateway")
      .filter(({ attributes }) => attributes["gen_ai.operation.name"] === "chat"),
    events: collector
      .records("claude-code")
      .filter(({ body }) => body === "claude_code.api_request"),
    requestSpans: collector
      .spans("claude-code")
      .filter(({ name }) => name === "claude_code.llm_request"),
  };
}

/** The attributes by which Claude Code says who somebody is, as they should be of one of the IdP's people. */
export function identityOf(person: string): Attributes {
  const { email, groups } = people[person] ?? {};
  return { "user.id": person, "user.email": email, "user.groups": String(groups) };
}

/** Whether `attributes` has all of `wanted`, as they are there. */
export function has(attributes: Attributes, wanted: Attributes): boolean {
  return Object.entries(wanted).every(([key, value]) => Bun.deepEquals(attributes[key], value));
}
