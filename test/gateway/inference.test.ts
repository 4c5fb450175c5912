// Messages through a running gateway: what passes, what does not, and what a developer reads when it fails.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { eventStream, helloCall, openScene, plainAnswer, upstreamKey } from "../support/scene.ts";

const scene = await openScene();
const { gateway, upstream, message } = scene;
afterAll(() => scene.stop());
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answer = plainAnswer;
});

const events = [
  { type: "message_start", message: { id: "msg_1", usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "héllo" } },
  { type: "message_stop" },
];
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  return [response.status, error.type, error.message];
};

test("a request's bytes go upstream as they came, and an answer's come back", async () => {
  const body =
    '{"model":"claude-sonnet-4-6",  "max_tokens":64,"zz":{"n":[1,2.50,1e3,1e999]},"messages":[{"role":"user","content":"h\\u00e9"}]}';
  const answer = '{"id":"m",  "type":"message", "spaced" :1.50}';
  upstream.answer = () => new Response(answer, { headers: { "content-type": "application/json" } });
  const response = await message(body);
  expect(await response.text()).toBe(answer);
  expect(Buffer.from(upstream.seen[0]?.body ?? []).toString()).toBe(body);
});

test("the developer's bearer and cookies stay here, our key and the client's headers go on", async () => {
  await message(helloCall, {
    headers: {
      cookie: "a=b",
      "x-api-key": "evil",
      "x-forwarded-for": "1.2.3.4",
      "x-app": "cli",
      "anthropic-beta": "future-2099",
      "anthropic-version": "2023-06-01",
      "x-stainless-lang": "js",
      "user-agent": "claude-cli/9",
    },
  });
  const headers = upstream.seen[0]?.headers ?? new Headers();
  expect(headers.get("x-api-key")).toBe(upstreamKey);
  for (const name of ["authorization", "cookie", "x-forwarded-for", "x-app"])
    expect(headers.has(name)).toBe(false);
  expect(headers.get("anthropic-beta")).toBe("future-2099");
  expect(headers.get("anthropic-version")).toBe("2023-06-01");
  expect(headers.get("x-stainless-lang")).toBe("js");
  expect(headers.get("user-agent")).toMatch(/^claude-cli\/9 claude-gateway\/\d/);
});

test("an upstream's cookies, quota and edge headers stay behind, the rest is kept", async () => {
  upstream.answer = () =>
    Response.json(
      { type: "message" },
      {
        headers: {
          "set-cookie": "tracking=1",
          "anthropic-ratelimit-requests-remaining": "5",
          "cf-ray": "x",
          via: "1.1 x",
          "alt-svc": "h3",
          "request-id": "req_up",
          "retry-after": "3",
          "x-custom": "1",
        },
      },
    );
  const { headers } = await message();
  for (const name of [
    "set-cookie",
    "anthropic-ratelimit-requests-remaining",
    "cf-ray",
    "via",
    "alt-svc",
  ]) {
    expect(headers.has(name)).toBe(false);
  }
  expect(headers.get("retry-after")).toBe("3");
  expect(headers.get("x-custom")).toBe("1");
  expect(headers.get("request-id")).toBe(headers.get("x-request-id") ?? "");
  await gateway.audited("inference", {
    upstream_request_id: "req_up",
    request_id: headers.get("request-id"),
  });
});

test("events reach the client one by one, as the upstream sends them", async () => {
  const [first = "", ...rest] = events.map((event) => eventStream([event]));
  const source = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
    highWaterMark: 9,
  });
  const writer = source.writable.getWriter();
  await writer.write(Buffer.from(first));
  upstream.answer = () =>
    new Response(source.readable, { headers: { "content-type": "text/event-stream" } });
  const response = await message({ ...helloCall, stream: true });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toBe(first);
  for (const part of rest) {
    await writer.write(Buffer.from(part));
    expect((await reader?.read())?.value).toBe(part);
  }
  await writer.close();
  expect((await reader?.read())?.done).toBe(true);
});

test("a client that hangs up in mid-stream cancels the upstream at once", async () => {
  upstream.answer = () =>
    new Response(
      async function* () {
        for (;;) {
          yield Buffer.from(eventStream([{ type: "ping" }]));
          await Bun.sleep(10);
        }
      },
      { headers: { "content-type": "text/event-stream" } },
    );
  const abort = new AbortController();
  const response = await message({ ...helloCall, stream: true }, { signal: abort.signal });
  await response.body?.getReader().read();
  abort.abort();
  for (let waits = 0; waits < 100 && upstream.seen[0]?.closed !== true; waits++)
    await Bun.sleep(10);
  expect(upstream.seen[0]?.closed).toBe(true);
});

test("a client that hangs up before the answer cancels the upstream, and the audit says 499", async () => {
  upstream.answer = () => new Promise(() => undefined);
  const abort = new AbortController();
  const asked = message(helloCall, { signal: abort.signal }).catch(() => undefined);
  for (let waits = 0; waits < 100 && upstream.seen.length === 0; waits++) await Bun.sleep(10);
  abort.abort();
  await asked;
  for (let waits = 0; waits < 100 && upstream.seen[0]?.closed !== true; waits++)
    await Bun.sleep(10);
  expect(upstream.seen[0]?.closed).toBe(true);
  await gateway.waitForLog(/"status":499/);
});

// The rows of `anthropic` in the table of providers.test.ts that are not told above.
describe("anthropic, the provider whose words are the developer's", () => {
  test.each([
    [400, "invalid_request_error", "prompt is too long: 9 > 3"],
    [413, "request_too_large", "big"],
    [429, "rate_limit_error", "slow down"],
  ])("%p passes as it is", async (status, type, text) => {
    upstream.answer = () =>
      Response.json({ type: "error", error: { type, message: text } }, { status });
    expect(await errorOf(await message())).toEqual([status, type, text]);
  });

  test("500 is the gateway's own 502 when nobody else is left", async () => {
    upstream.answer = () => Response.json({}, { status: 500 });
    expect(await errorOf(await message())).toEqual([
      502,
      "api_error",
      "all upstreams failed (1 attempted)",
    ]);
  });

  test("count_tokens goes to its own path, query and all", async () => {
    upstream.answer = () => Response.json({ input_tokens: 17 });
    const response = await fetch(`${gateway.url}/v1/messages/count_tokens?beta=true`, {
      method: "POST",
      headers: { authorization: `Bearer ${await scene.bearer()}` },
      body: JSON.stringify(helloCall),
    });
    expect(await response.json()).toEqual({ input_tokens: 17 });
    expect(upstream.seen[0]?.url).toBe("/v1/messages/count_tokens?beta=true");
  });
});

test("a lone overloaded upstream stays 529, so that clients back off", async () => {
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  upstream.answer = () => Response.json(overloaded, { status: 529 });
  expect(await errorOf(await message())).toEqual([529, "overloaded_error", "Overloaded"]);
});

test("a redirect of the upstream is passed on and not followed", async () => {
  upstream.answer = () =>
    new Response(null, { status: 307, headers: { location: "http://169.254.169.254/" } });
  const response = await message(helloCall, { redirect: "manual" });
  expect(response.status).toBe(307);
  expect(upstream.seen).toHaveLength(1);
});

const refused: [string, string, string][] = [
  ["no JSON", "{bad", "invalid JSON"],
  ["an empty body", "", "invalid JSON"],
  ["a list", "[]", "request body must be a JSON object"],
  ["no model", "{}", "model is required"],
  ["an empty model", '{"model":""}', "model is required"],
  ["a model that is no string", '{"model":5}', "model must be a string"],
  [
    "two models",
    '{"model":"claude-haiku-4-5","model":"claude-opus-4-8"}',
    "model is given more than once",
  ],
  [
    "a second model in escapes",
    '{"model":"claude-haiku-4-5","mod\\u0065l":"claude-opus-4-8"}',
    "model is given more than once",
  ],
  ["an unknown model", '{"model":"gpt-4"}', "model gpt-4 is not in the operator's model allowlist"],
];
for (const [what, body, text] of refused) {
  test(`a request with ${what} is refused before any upstream, and audited`, async () => {
    const response = await message(body);
    const request_id = response.headers.get("x-request-id");
    expect(await errorOf(response)).toEqual([400, "invalid_request_error", text]);
    expect(upstream.seen).toHaveLength(0);
    await gateway.audited("inference", { request_id, status: 400, upstream: null });
  });
}

test("errors on API paths are Anthropic envelopes with the request id, also 401, 404, 411 and 413", async () => {
  const bearer = { authorization: `Bearer ${await scene.bearer()}` };
  const status = async (response: Response) => {
    const body = (await response.json()) as {
      type: string;
      request_id: string;
      error: { type: string };
    };
    expect(body.type).toBe("error");
    expect(body.request_id).toBe(response.headers.get("x-request-id") ?? "");
    return [response.status, body.error.type];
  };
  expect(await status(await fetch(`${gateway.url}/v1/nope`))).toEqual([
    401,
    "authentication_error",
  ]);
  expect(await status(await fetch(`${gateway.url}/v1/nope`, { headers: bearer }))).toEqual([
    404,
    "not_found_error",
  ]);
  const big = { method: "POST", headers: bearer, body: "x".repeat(33 * 1024 * 1024) };
  expect(await status(await fetch(`${gateway.url}/v1/messages`, big))).toEqual([
    413,
    "request_too_large",
  ]);
  const chunked = "transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
  expect(await rawStatus(`POST /v1/messages HTTP/1.1\r\nhost: x\r\n${chunked}`)).toBe(411);
});

test("a 401 says nothing of its cause, and tells clients not to retry", async () => {
  const shapes = await Promise.all(
    [undefined, "Bearer junk", "Basic eDp5"].map(async (authorization) => {
      const response = await fetch(
        `${gateway.url}/v1/models`,
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(response.headers.get("x-should-retry")).toBe("false");
      return (await response.text()).replace(/"request_id":"[^"]*"/, "");
    }),
  );
  expect(new Set(shapes).size).toBe(1);
});

test("a client that closes after its request can send a refused body to its end before the answer comes", async () => {
  const length = 20 * 1024 * 1024;
  const part = Buffer.alloc(64 * 1024, "x");
  const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  const answer = new Promise<string>((resolve, reject) => {
    socket.once("data", (data) => resolve(data.toString()));
    socket.on("error", reject);
  });
  let answeredAfterBytes = Infinity;
  void answer.then(
    () => (answeredAfterBytes = Math.min(answeredAfterBytes, sent)),
    () => undefined,
  );
  socket.write(head);
  let sent = 0;
  for (; sent < length; sent += part.length) {
    if (!socket.write(part)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  expect(await answer).toStartWith("HTTP/1.1 401");
  expect(answeredAfterBytes).toBeGreaterThan(length * 0.9);
  socket.destroy();
}, 10_000);

test("the client's request id is used when it can be one, and replaced when not", async () => {
  const ask = (id: string) =>
    fetch(`${gateway.url}/healthz`, { headers: { "x-client-request-id": id } });
  expect((await ask("my-id.1")).headers.get("x-request-id")).toBe("my-id.1");
  expect((await ask("a b")).headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});

test("neither prompt nor completion nor key is in the log", async () => {
  upstream.answer = () => Response.json({ content: "canary-completion" });
  await message({ ...helloCall, messages: [{ role: "user", content: "canary-prompt" }] });
  for (const secret of ["canary-prompt", "canary-completion", upstreamKey, await scene.bearer()]) {
    expect(gateway.stderr()).not.toContain(secret);
  }
});

test("an encoded or doubled slash reaches no handler", async () => {
  const bearer = await scene.bearer();
  for (const path of [
    "/v1%2Fmodels",
    "//v1/models",
    "/v1/models/",
    "/%76%31/models",
    "/V1/models",
  ]) {
    expect(
      await rawStatus(
        `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${bearer}\r\nconnection: close\r\n\r\n`,
      ),
    ).toBe(404);
  }
});

/** Status of an answer to bytes that fetch would not send. */
function rawStatus(request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1", () =>
      socket.write(request),
    );
    socket.on("error", reject);
    socket.once("data", (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1]));
      socket.destroy();
    });
  });
}
