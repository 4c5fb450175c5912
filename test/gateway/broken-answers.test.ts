// What the developer gets when an upstream's answer is broken, over bare sockets and for every provider: before its first byte
// another upstream's answer or a well-formed 502, after it a well-formed `event: error`. And what the operator hears of it.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { ask, refusalIn } from "../support/calls.ts";
import { messageEvents, messageText } from "../support/clouds.ts";
import { everyProvider, modelOn, modelsOfEach, providers } from "../support/every-provider.ts";
import { chunkOf, encode, exceptionOf } from "../support/frames.ts";
import { eventStream, openScene, plainAnswer, startUpstream } from "../support/scene.ts";
import { chunkOfBody, headOf, lastChunk, startSocketUpstream } from "../support/socket-upstream.ts";

const broken = await startSocketUpstream();
const standIn = startUpstream();
const anthropic = (name: string, url: string) => ({
  provider: "anthropic",
  name,
  base_url: url,
  auth: { api_key: "k" },
});

const [lone, pair] = await Promise.all([
  openScene((config) => {
    config.upstreams = everyProvider(broken.url);
    config.models = modelsOfEach;
  }),
  openScene((config) => {
    config.failover = { unhealthy_after: 3, set_aside_seconds: 60 };
    config.timeouts = { upstream_ttfb_ms: 400 };
    config.upstreams = [anthropic("first", broken.url), anthropic("second", standIn.url)];
    config.models = ["m-failover", "m-streams", "m-mixed"].map((id) => ({
      id,
      upstream_model: { first: id, second: id },
    }));
  }),
]);
afterAll(async () => {
  await Promise.all([lone.stop(), pair.stop(), standIn.stop()]);
  broken.stop();
});
beforeEach(() => {
  broken.asked.length = 0;
  standIn.seen.length = 0;
});

type Answer = (socket: Socket, provider: string) => void;

const json = { "content-type": "application/json", "request-id": "req_broken" };

/** A provider's own way to write a stream. */
const written = (provider: string, events: readonly { type: string }[]): Buffer =>
  provider === "bedrock"
    ? Buffer.concat(events.map((event) => chunkOf(JSON.stringify(event))))
    : Buffer.from(eventStream(events));
const streamHead = (provider: string, more: Record<string, string> = {}) =>
  headOf(200, {
    "content-type":
      provider === "bedrock" ? "application/vnd.amazon.eventstream" : "text/event-stream",
    "transfer-encoding": "chunked",
    "request-id": "req_broken",
    ...more,
  });
const wholeStream = (provider: string) => written(provider, messageEvents);
const secret = "the words of a prompt";
const errorIn = (provider: string): Buffer =>
  provider === "bedrock"
    ? exceptionOf("throttlingException", secret)
    : Buffer.from(
        `event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"${secret}"}}\n\n`,
      );

/** A stream whose chunks are these, and what happens then. */
const streaming =
  (
    chunksOf: (provider: string) => readonly (Buffer | string)[],
    end: (socket: Socket) => void,
  ): Answer =>
  (socket, provider) => {
    socket.write(streamHead(provider));
    for (const chunk of chunksOf(provider)) socket.write(chunkOfBody(chunk));
    end(socket);
  };
const ended = (socket: Socket) => void socket.write(lastChunk);
const afterAWhile = (happen: (socket: Socket) => void) => (socket: Socket) =>
  void setTimeout(() => happen(socket), 20);
const reset = afterAWhile((socket) => socket.resetAndDestroy());
const closed = afterAWhile((socket) => socket.destroy());
const nothing = () => [];

/** An answer in one piece. */
const whole =
  (body: string | Uint8Array, headers: Record<string, string | number> = json): Answer =>
  (socket) => {
    socket.write(headOf(200, { "content-length": Buffer.byteLength(body), ...headers }));
    socket.end(body);
  };

const gzip = gzipSync(messageText);

/** Broken before anything of it can be given to anybody. */
const toBoth: Record<string, Answer> = {
  HTML: whole("<html><body>504</body></html>", { "content-type": "text/html" }),
  nothing: whole("", {}),
  "a status that has no body": (socket) => socket.end(headOf(204, {})),
  "half a head": (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-ty"),
  "no HTTP": (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  "a status that is none": (socket) => socket.end(headOf(999, { "content-length": 0 })),
  "a control character in a header": (socket) =>
    socket.end(headOf(200, { "x-a": "b\u0001c", "content-length": 2 }) + "{}"),
  "two lengths": (socket) =>
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
  "an upgrade": (socket) =>
    socket.end("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
  "a head of two megabytes": (socket) =>
    socket.end(headOf(200, { "x-a": "a".repeat(2 * 1024 * 1024), "content-length": 2 }) + "{}"),
  "nothing, and closes": (socket) => socket.end(),
  "nothing, and resets": (socket) => void socket.resetAndDestroy(),
};
const toStreams: Record<string, Answer> = {
  "a whole answer": whole(messageText),
  "an empty stream": streaming(nothing, ended),
  "a stream that is reset before its first event": streaming(nothing, reset),
  "a stream with a bad chunk before its first event": streaming(
    nothing,
    afterAWhile((socket) => socket.write("ZZ\r\nxx\r\n")),
  ),
  "a stream that ends inside its first event": streaming(
    (provider) => [wholeStream(provider).subarray(0, 60)],
    ended,
  ),
  "a stream that begins with junk": streaming(
    (provider) => ["<html>\n\n</html>\n\n", wholeStream(provider)],
    ended,
  ),
  "a stream in a coding that is not its own": (socket, provider) => {
    socket.write(streamHead(provider, { "content-encoding": "gzip" }));
    socket.write(chunkOfBody(wholeStream(provider)) + lastChunk);
  },
};
const toWholes: Record<string, Answer> = {
  "a stream": streaming((provider) => [wholeStream(provider)], ended),
  "JSON that is cut, with its length": (socket) =>
    socket.end(headOf(200, { ...json, "content-length": 60 }) + messageText.slice(0, 30)),
  "JSON that is cut, to the end of the connection": (socket) =>
    socket.end(headOf(200, json) + messageText.slice(0, 30)),
  "JSON that is cut between chunks": (socket) => {
    socket.write(headOf(200, { ...json, "transfer-encoding": "chunked" }));
    socket.end(chunkOfBody(messageText));
  },
  "JSON that is no message": whole('{"ok":true}'),
  "an error under 200": whole('{"type":"error","error":{"type":"api_error","message":"x"}}'),
  "a list": whole(`[${messageText}]`),
  "a broken coding": whole("hello", { ...json, "content-encoding": "gzip" }),
  "a coding that is cut": whole(gzip.subarray(0, -10), { ...json, "content-encoding": "gzip" }),
  "a coding that nobody knows": whole(gzip, { ...json, "content-encoding": "x-own" }),
};

/** Broken when the beginning is with the developer. */
const later: Record<string, Answer> = {
  "ends without message_stop": streaming(
    (provider) => [written(provider, messageEvents.slice(0, -1))],
    ended,
  ),
  "ends after message_start": streaming(
    (provider) => [written(provider, messageEvents.slice(0, 1))],
    ended,
  ),
  "ends inside an event": streaming(
    (provider) => [
      Buffer.concat([
        written(provider, messageEvents.slice(0, 1)),
        written(provider, messageEvents.slice(1)).subarray(0, 70),
      ]),
    ],
    ended,
  ),
  "is reset": streaming((provider) => [written(provider, messageEvents.slice(0, 2))], reset),
  "is closed": streaming((provider) => [written(provider, messageEvents.slice(0, 2))], closed),
  "has a bad chunk": streaming(
    (provider) => [written(provider, messageEvents.slice(0, 2))],
    afterAWhile((socket) => socket.write("ZZ\r\nxx\r\n")),
  ),
};

const stream = { fields: { stream: true } };

/** Asks a provider that answers so. */
async function askBroken(provider: string, answer: Answer, init: object = {}): Promise<Response> {
  broken.answer = (socket) => answer(socket, provider);
  return ask(lone, modelOn(provider), init);
}

/** What the events of a stream are called, and the data of the last one. */
async function eventsIn(response: Response) {
  const text = await response.text();
  expect(text.endsWith("\n\n")).toBe(true);
  const events = text.slice(0, -2).split("\n\n");
  const [, last = ""] = /^data: (.*)$/m.exec(events.at(-1) ?? "") ?? [];
  return {
    names: events.map((event) => /^event: (.*)$/m.exec(event)?.[1] ?? ""),
    last: JSON.parse(last) as unknown,
  };
}

describe.each([...providers])("%s", (provider) => {
  const before = { ...toBoth, ...toStreams };
  test.each(Object.keys(before))("a stream answered with %s is a 502", async (kind) => {
    const response = await askBroken(provider, before[kind] as Answer, stream);
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect(await refusalIn(response)).toEqual({
      status: 502,
      type: "api_error",
      message: `all upstreams failed (${providers.length} attempted)`,
    });
  });

  const wholes = { ...toBoth, ...toWholes };
  test.each(Object.keys(wholes))("a whole answer of %s is a 502", async (kind) => {
    const response = await askBroken(provider, wholes[kind] as Answer);
    expect(await refusalIn(response)).toMatchObject({ status: 502, type: "api_error" });
  });

  test.each(Object.keys(later))("a stream that %s ends with an error event", async (kind) => {
    const response = await askBroken(provider, later[kind] as Answer, stream);
    expect(response.status).toBe(200);
    const requestId = response.headers.get("x-request-id") ?? "";
    const { names, last } = await eventsIn(response);
    expect(names[0]).toBe("message_start");
    expect(names.filter((name) => name === "error")).toHaveLength(1);
    expect(last).toEqual({
      type: "error",
      request_id: requestId,
      error: { type: "api_error", message: "upstream error" },
    });
    await lone.gateway.waitForLog(
      new RegExp(
        // Two providers have a second name.
        `warn \\w+ upstream broke off request_id=${requestId}: ${provider}: 200 .* upstream_request_id=req_broken\n`,
      ),
    );
  });

  test("a stream that breaks behind its message's end is whole", async () => {
    for (const end of [reset, afterAWhile((socket) => socket.write("ZZ\r\n"))]) {
      const response = await askBroken(
        provider,
        streaming((name) => [wholeStream(name)], end),
        stream,
      );
      expect((await eventsIn(response)).names).toEqual(messageEvents.map(({ type }) => type));
    }
  });

  test("an error that comes first is the refusal that it stands for", async () => {
    const response = await askBroken(
      provider,
      streaming((name) => [errorIn(name)], ended),
      stream,
    );
    const { status, type } = await refusalIn(response);
    // With eight upstreams configured nobody is the lone one that passes its 529 on.
    if (provider === "bedrock") expect([status, type]).toEqual([429, "rate_limit_error"]);
    else expect([status, type]).toEqual([502, "api_error"]);
  });

  test("an error in the middle is told, and its words go no further than the debug log", async () => {
    const response = await askBroken(
      provider,
      streaming((name) => [written(name, messageEvents.slice(0, 1)), errorIn(name)], ended),
      stream,
    );
    const { names, last } = await eventsIn(response);
    expect(names).toEqual(["message_start", "error"]);
    // Anthropic's words are the developer's.
    if (provider !== "anthropic") expect(JSON.stringify(last)).not.toContain(secret);
    expect(lone.gateway.stderr()).not.toContain(secret);
  });

  test("an answer in a coding that was asked for is read", async () => {
    const codings: [string, Uint8Array][] = [
      ["gzip", gzip],
      ["deflate", deflateSync(messageText)],
      ["br", brotliCompressSync(messageText)],
      ["zstd", Bun.zstdCompressSync(messageText)],
    ];
    for (const [coding, bytes] of codings) {
      const response = await askBroken(
        provider,
        whole(bytes, { ...json, "content-encoding": coding }),
      );
      expect([coding, await response.text()]).toEqual([coding, messageText]);
    }
  });

  test("early hints, trailers and HTTP/1.0 are no reason to fail", async () => {
    const answers: Answer[] = [
      (socket) => {
        socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        whole(messageText)(socket, provider);
      },
      (socket) => {
        socket.write(headOf(200, { ...json, "transfer-encoding": "chunked", trailer: "x-a" }));
        socket.write(Buffer.concat([chunkOfBody(messageText), Buffer.from("0\r\nx-a: 1\r\n\r\n")]));
      },
      (socket) =>
        socket.end(`HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${messageText}`),
    ];
    for (const answer of answers)
      expect(await (await askBroken(provider, answer)).text()).toBe(messageText);
  });
});

describe("a 300 KB header", () => {
  const big = { "x-big": "a".repeat(300 * 1024) };
  const answer: Answer = (socket, provider) => {
    socket.write(streamHead(provider, big));
    socket.write(Buffer.concat([chunkOfBody(wholeStream(provider)), Buffer.from(lastChunk)]));
  };

  test("is passed on to nobody: Anthropic's answer is a 502", async () => {
    const response = await askBroken("anthropic", answer, stream);
    expect(await refusalIn(response)).toMatchObject({ status: 502, type: "api_error" });
  });

  test("stays with the gateway where a cloud sent it, whose answer is good", async () => {
    for (const provider of providers.filter((name) => name !== "anthropic")) {
      const response = await askBroken(provider, answer, stream);
      expect(response.headers.has("x-big")).toBe(false);
      expect((await eventsIn(response)).names.at(-1)).toBe("message_stop");
    }
  });
});

describe("Bedrock's frames", () => {
  const good = chunkOf(JSON.stringify(messageEvents[0]));
  const bent = (at: number) => {
    const frame = Buffer.from(chunkOf(JSON.stringify(messageEvents[1])));
    frame[at] = (frame[at] ?? 0) ^ 1;
    return frame;
  };
  const tooLong = Buffer.alloc(16);
  tooLong.writeUInt32BE(0xffffffff, 0);

  test.each([
    ["a damaged payload", bent(90)],
    ["a damaged length", bent(3)],
    ["a length of 4 GB", tooLong],
    ["a frame of no kind", encode({}, "")],
  ])("with %s end the stream, or are none", async (_, frame) => {
    const after = await askBroken(
      "bedrock",
      streaming(() => [good, frame], ended),
      stream,
    );
    expect((await eventsIn(after)).names).toEqual(["message_start", "error"]);
    const first = await askBroken(
      "bedrock",
      streaming(() => [frame], ended),
      stream,
    );
    expect(await refusalIn(first)).toMatchObject({ status: 502 });
  });
});

describe("a refusal that is broken", () => {
  const cut: Answer = (socket) =>
    socket.end(headOf(400, { ...json, "content-length": 500 }) + '{"type":"err');
  const endless: Answer = (socket) => {
    socket.write(headOf(400, json));
    const part = Buffer.alloc(64 * 1024, "x");
    const send = () => {
      while (!socket.destroyed && socket.write(part));
    };
    socket.on("drain", send);
    send();
  };

  test.each([
    ["cut", cut],
    ["endless", endless],
  ])("because it is %s is a well-formed one all the same", async (_, answer) => {
    for (const provider of ["anthropic", "bedrock", "vertex"])
      expect(await refusalIn(await askBroken(provider, answer))).toEqual({
        status: 400,
        type: "invalid_request_error",
        message: "upstream rejected the request",
      });
  });
});

test("count_tokens is a count or a 502", async () => {
  const counting = { path: "/v1/messages/count_tokens" } as const;
  for (const body of [messageText, '{"input_tokens":', '{"input_tokens":"17"}']) {
    const response = await askBroken("foundry", whole(body), counting);
    expect(await refusalIn(response)).toMatchObject({ status: 502 });
  }
  const counted = await askBroken("foundry", whole('{"input_tokens":17}'), counting);
  expect(await counted.json()).toEqual({ input_tokens: 17 });
});

describe("with another upstream behind it", () => {
  const answered = (socket: Socket) => whole(messageText)(socket, "anthropic");
  const inStream = () =>
    new Response(eventStream(messageEvents), { headers: { "content-type": "text/event-stream" } });

  test("what is broken before its first byte is answered by that one, and counts as a failure", async () => {
    standIn.answer = inStream;
    const kinds = [toStreams["an empty stream"], toBoth["HTML"], toBoth["nothing, and resets"]];
    for (const kind of kinds) {
      broken.answer = (socket) => kind?.(socket, "anthropic");
      const response = await ask(pair, "m-failover", stream);
      expect((await eventsIn(response)).names.at(-1)).toBe("message_stop");
    }
    expect([broken.asked.length, standIn.seen.length]).toEqual([3, 3]);
    // Set aside: it is not asked again.
    await (await ask(pair, "m-failover", stream)).text();
    expect([broken.asked.length, standIn.seen.length]).toEqual([3, 4]);
  });

  test("an error that comes first is answered by that one, and never by both", async () => {
    standIn.answer = inStream;
    broken.answer = (socket) => streaming(() => [errorIn("anthropic")], ended)(socket, "anthropic");
    const { names } = await eventsIn(await ask(pair, "m-mixed", stream));
    expect(names).toEqual(messageEvents.map(({ type }) => type));
  });

  test.each(["0", "-5", "Thu, 01 Jan 1970 00:00:00 GMT"])(
    "a retry-after of %j is none",
    async (value) => {
      standIn.answer = plainAnswer;
      broken.answer = (socket) =>
        socket.end(headOf(429, { "retry-after": value, "content-length": 2 }) + "{}");
      expect((await ask(pair, "m-mixed")).status).toBe(200);
      // The next one is asked all the same: nothing has been set aside.
      broken.answer = answered;
      expect(await (await ask(pair, "m-mixed")).text()).toBe(messageText);
    },
  );

  test("streams that break off set an upstream aside as failures do, and one that is whole ends the row", async () => {
    standIn.answer = inStream;
    const breaks = () =>
      (broken.answer = (socket) => later["ends after message_start"]?.(socket, "anthropic"));
    const runs = async () => (await ask(pair, "m-streams", stream)).text();
    breaks();
    await runs();
    await runs();
    broken.answer = (socket) =>
      streaming((name) => [wholeStream(name)], ended)(socket, "anthropic");
    expect(await runs()).toContain("message_stop");
    breaks();
    for (let times = 0; times < 3; times++) expect(await runs()).toContain("event: error");
    expect(broken.asked).toHaveLength(6);
    expect(await runs()).toContain("message_stop");
    expect([broken.asked.length, standIn.seen.length]).toEqual([6, 1]);
    await pair.gateway.waitForLog(/set aside .*3 streams in a row that broke off/);
    broken.answer = answered;
  });
});

describe("connections", () => {
  test("a request is sent once, also on a connection that its upstream has closed meanwhile", async () => {
    broken.answer = (socket) => {
      whole(messageText)(socket, "anthropic");
    };
    await (await ask(lone, modelOn("anthropic"))).text();
    let requests = 0;
    broken.answer = (socket) => {
      requests++;
      if (requests === 1)
        socket.write(headOf(200, { ...json, "content-length": 60 }) + messageText);
      else socket.destroy();
    };
    expect((await ask(lone, modelOn("anthropic"))).status).toBe(200);
    // On the same connection, which is closed when all of the request has been read: it may have been processed.
    expect((await ask(lone, modelOn("anthropic"))).status).toBe(502);
    expect(requests).toBe(2);
  });

  test("an answer that comes before the request has been read is the answer", async () => {
    const hasty = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        socket.pause();
        whole('{"type":"error","error":{"type":"rate_limit_error","message":"x"}}')(socket, "");
      });
    });
    await new Promise<void>((resolve) => hasty.listen(0, "127.0.0.1", resolve));
    const { port } = hasty.address() as AddressInfo;
    const scene = await openScene((config) => {
      config.upstreams = [anthropic("hasty", `http://127.0.0.1:${port}`)];
    });
    const padding = "x".repeat(8 * 1024 * 1024);
    const response = await ask(scene, "claude-sonnet-4-6", { fields: { padding } });
    // What was answered is an error under 200.
    expect(await refusalIn(response)).toMatchObject({ status: 502 });
    await scene.gateway.waitForLog(/a JSON object that is no message/);
    await scene.stop();
    hasty.close();
  });

  test("none is left open by answers that were given up", async () => {
    const endless: Answer = (socket, provider) => {
      socket.write(streamHead(provider));
      socket.write(chunkOfBody("<html>\n\n"));
      const timer = setInterval(() => socket.write(chunkOfBody("x".repeat(1_000))), 5);
      socket.on("close", () => clearInterval(timer));
    };
    for (const provider of providers) {
      expect((await askBroken(provider, endless, stream)).status).toBe(502);
      expect((await askBroken(provider, toWholes["a stream"] as Answer)).status).toBe(502);
    }
    const deadline = Date.now() + 3_000;
    // Those that ended well are kept for the next request.
    while (broken.open() > providers.length * 2 && Date.now() < deadline) await Bun.sleep(10);
    expect(broken.open()).toBeLessThanOrEqual(providers.length * 2);
  });
});

test("nothing but lines of the log is on stderr", () => {
  for (const { gateway } of [lone, pair]) {
    const others = gateway
      .stderr()
      .split("\n")
      .filter((line) => !/^(?:\[gateway\] |\{|$)/.test(line));
    expect(others).toEqual([]);
  }
});
