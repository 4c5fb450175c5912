// A cloud's API that keeps what it is sent and answers what a test tells it to, and the call that a gateway would send there.
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import type { OutboundCall } from "../../src/upstream/upstream.ts";

export type CloudApi = {
  url: string;
  seen: { path: string; headers: Headers; body: string }[];
  /** What is both a message and a count, well-formed, when not set. */
  answer: (request: Request) => Response;
  stop(): Promise<void>;
};

export function startCloudApi(): CloudApi {
  const web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      api.seen.push({
        path: `${request.method} ${pathname}${search}`,
        headers: request.headers,
        body,
      });
      return api.answer(request);
    },
  });
  const api: CloudApi = {
    url: `http://127.0.0.1:${web.port}`,
    seen: [],
    answer: () => Response.json({ type: "message", content: [], input_tokens: 1 }),
    stop: () => web.stop(true),
  };
  return api;
}

/** A call with this body, as JSON text or as what JSON is made of. */
export function outboundCall(
  body: unknown,
  changes: Partial<Omit<OutboundCall, "call" | "headers">> & {
    headers?: Record<string, string>;
  } = {},
): OutboundCall {
  const call = readMessagesCall(
    Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  );
  return {
    call,
    path: "/v1/messages",
    search: "",
    upstreamModel: call.model,
    principal: { sub: "u1", email: undefined, name: undefined, groups: [] },
    requestId: "req1",
    ...changes,
    headers: new Headers(changes.headers),
  };
}
