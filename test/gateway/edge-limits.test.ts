// Sizes over their limit are refused by the head of the request, each place in the words that its reader knows; what cannot be
// read in one way reaches no handler of the whole gateway. Over raw sockets.
import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { bodyOf, exchange, headerOf } from "../support/raw-http.ts";
import { openScene } from "../support/scene.ts";

const scene = await openScene((config) => {
  config.limits = {
    max_request_bytes: 1_000_000,
    max_request_header_bytes: 3_000,
    max_url_length: 1_500,
  };
});
const port = Number(new URL(scene.gateway.url).port);
afterAll(() => scene.stop());

const overLimit: [string, number, (path: string) => string][] = [
  ["a long URL", 414, (path) => `GET ${path}?${"a".repeat(2_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  [
    "a large head",
    431,
    (path) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(4_000)}\r\n\r\n`,
  ],
  [
    "chunks",
    411,
    (path) => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    "no length",
    400,
    (path) =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi`,
  ],
  ["two hosts", 400, (path) => `GET ${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`],
];
const messages: Record<number, RegExp> = {
  400: /^invalid (Host|Content-Length)$/,
  411: /^length required$/,
  414: /^uri too long$/,
  431: /^request header fields too large$/,
};
test.each(overLimit)(
  "%s is refused with %d, to each reader in its words",
  async (_what, status, bytesFor) => {
    for (const path of ["/v1/messages", "/v1/models", "/nowhere", "/managed/settings"]) {
      const got = await exchange(port, bytesFor(path));
      expect(got.statuses).toEqual([status]);
      const { type, request_id, error } = JSON.parse(bodyOf(got)) as {
        type: string;
        request_id: string;
        error: { type: string; message: string };
      };
      expect({ type, request_id, error: error.type }).toEqual({
        type: "error",
        request_id: headerOf(got, "x-request-id") ?? "",
        error: "invalid_request_error",
      });
      expect(error.message).toMatch(messages[status] ?? /$^/);
    }
    for (const path of ["/oauth/token", "/oauth/device_authorization"]) {
      const got = await exchange(port, bytesFor(path));
      expect(got.statuses).toEqual([status]);
      expect(JSON.parse(bodyOf(got))).toEqual({
        error: "invalid_request",
        error_description: expect.stringMatching(messages[status] ?? /$^/),
      });
      expect(headerOf(got, "cache-control")).toBe("no-store");
    }
    for (const path of ["/", "/device", "/oauth/callback", "/protocol"]) {
      const got = await exchange(port, bytesFor(path));
      expect(got.statuses).toEqual([status]);
      expect(bodyOf(got)).toMatch(messages[status] ?? /$^/);
      expect(headerOf(got, "content-type")).toMatch(/^text\/plain/);
    }
  },
);

test("a body over the limit is refused before any of it is read, and none of it is kept", async () => {
  const residentBytes = async () =>
    Number(/VmRSS:\s+(\d+)/.exec(await Bun.file(`/proc/${scene.gateway.pid}/status`).text())?.[1]) *
    1024;
  const before = await residentBytes();
  const parts = 60;
  const part = Buffer.alloc(1024 * 1024, "x");
  const length = parts * part.length;
  let text = "";
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (got) => (text += got.toString()));
  socket.on("error", () => undefined);
  socket.write(`POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
  for (let sent = 0; sent < parts; sent++) {
    if (!socket.write(part)) await new Promise((drained) => socket.once("drain", drained));
  }
  while (!text.includes("payload too large")) await Bun.sleep(5);
  socket.destroy();
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect((await residentBytes()) - before).toBeLessThan(30 * 1024 * 1024);
});

test("a limit is not evaded by giving the length twice, in other digits, or not at all", async () => {
  for (const [length, status] of [
    ["Content-Length: 2000000\r\nContent-Length: 2000000", 400],
    ["Content-Length: 0000000000000000002000000", 400],
    ["Content-Length: 0002000000", 413],
    ["Content-Length: 2e6", 400],
    ["Content-Length: 99999999999999999999", 400],
    ["Transfer-Encoding: chunked", 411],
  ] as const) {
    const chunk = length.startsWith("T") ? "1e8480\r\n" : "";
    const bytes = `POST /v1/messages HTTP/1.1\r\nHost: a\r\n${length}\r\n\r\n${chunk}${"x".repeat(2_000_000)}`;
    const end = chunk === "" ? "" : "\r\n0\r\n\r\n";
    const got = await exchange(port, bytes + end);
    expect([length, got.statuses]).toEqual([length, [status]]);
  }
  expect(scene.upstream.seen).toEqual([]);
});

test("a health check may be as long as it likes, and is as strict about where it ends", async () => {
  const ask = (head: string) => exchange(port, `GET /healthz${head}`);
  expect((await ask(`?${"a".repeat(2_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).statuses).toEqual([200]);
  expect((await ask(` HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(4_000)}\r\n\r\n`)).statuses).toEqual([
    200,
  ]);
  expect((await ask(" HTTP/1.0\r\n\r\n")).statuses).toEqual([200]);
  const chunked = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  expect((await ask(chunked)).statuses).toEqual([411]);
});

test("more head than the runtime takes gets 431 and nothing else", async () => {
  const got = await exchange(
    port,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(300_000)}\r\n\r\n`,
    {
      answers: 1,
      closed: true,
    },
  );
  expect(got.text).toBe(
    "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n",
  );
});

test("a client that hangs up in the middle of its body is nothing that went wrong", async () => {
  for (const path of ["/oauth/token", "/oauth/device_authorization"]) {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 90\r\n\r\n`;
    const socket = connect(port, "127.0.0.1", () => socket.write(`${head}grant_type=`));
    await Bun.sleep(50);
    socket.destroy();
  }
  await Bun.sleep(100);
  expect(scene.gateway.stderr()).not.toMatch(/unhandled/);
});
