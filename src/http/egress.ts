// Our own exchanges with URLs that come from the configuration or from an answer to it (the IdP's discovery document): how long
// they may take and how much they may answer. Which addresses they may reach, and by which way, is outbound.ts's; who asks for
// what, and how an answer is read, is the caller's. Streams of model answers have a path of their own in upstream/.
import { messageOf } from "../log.ts";
import { EgressBlockedError } from "./address-rules.ts";
import type { Outbound } from "./outbound.ts";

export type Egress = { fetch(url: string | URL, init?: RequestInit): Promise<Response> };

export type EgressBounds = {
  /** Whole exchange, from the name look-up to the last byte of the answer. */
  timeoutMs: number;
  /** Longest answer, counted after decompression. */
  responseBytesMax: number;
};

/**
 * Makes the `fetch` for configured URLs. It throws EgressBlockedError for what the rules forbid; other failures are Errors
 * whose message names the URL (never its query) and the cause as the system calls it, such as ECONNREFUSED. An answer that
 * grows past `responseBytesMax` fails while its body is read, whatever its content-length says.
 */
export function createEgress(
  outbound: Outbound,
  { timeoutMs, responseBytesMax }: EgressBounds,
): Egress {
  return {
    async fetch(url, init = {}) {
      const target = new URL(url);
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
      const explain = (error: unknown) => explained(target, error, timeoutMs);
      try {
        const response = await outbound(target, { ...init, signal });
        return await bounded(target, response, responseBytesMax, explain);
      } catch (error) {
        throw explain(error);
      }
    },
  };
}

/** The answer with its body counted while it streams by. A redirect is an error: nobody checked where it leads. */
async function bounded(
  target: URL,
  response: Response,
  bytesMax: number,
  explain: (error: unknown) => Error,
): Promise<Response> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new EgressBlockedError(
      `redirect refused: ${plainUrl(target)} answered ${response.status}`,
    );
  }
  if (!response.body) return response;
  const reader = response.body.getReader();
  let bytes = 0;
  const counted = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        bytes += value.byteLength;
        if (bytes > bytesMax) throw new Error(`answer is longer than ${bytesMax} bytes`);
        controller.enqueue(value);
      } catch (error) {
        controller.error(explain(error));
        reader.cancel().catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}

function explained(target: URL, error: unknown, timeoutMs: number): Error {
  if (error instanceof EgressBlockedError) return error;
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const cause = isLate ? lateAnswer(timeoutMs) : causeOf(error);
  return new Error(`${plainUrl(target)}: ${cause}`, { cause: error });
}

/** What is said of an exchange that was given up. */
export function lateAnswer(timeoutMs: number): string {
  return `ETIMEDOUT: no complete answer within ${timeoutMs} ms`;
}

/** What a failed request's error says, with the cause as the system calls it, such as ECONNREFUSED. */
export function causeOf(error: unknown): string {
  // The runtime quotes the URL, and with it the address in place of the host.
  const message = messageOf(error).replace(
    /( fetching ".*?"\.?)? For more information, pass .*$/,
    "",
  );
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && !message.includes(code) ? `${code}: ${message}` : message;
}

function plainUrl(target: URL): string {
  return target.origin + target.pathname;
}
