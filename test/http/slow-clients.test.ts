// Clients that are slow, or stand still, are let go in bounded time, and cost bounded memory until then. All of them are
// watched at once, since the runtime's timers are good to four seconds; what it does by itself after ten is seen too.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createAdmission } from "../../src/http/admission.ts";
import { type Connections, listen } from "../../src/http/listener.ts";
import { selfSigned } from "../support/self-signed.ts";
import { untilTrue } from "../support/until-true.ts";

/** Longest until the runtime lets go of what it gives 10 s, and of what we give 8 s or 4 s. */
const headGoneMs = 14_000;
const bodyGoneMs = 12_500;
const idleGoneMs = 9_500;

const chunk = new Uint8Array(64 * 1024);
let sentBytes = 0;
let isGivenUp = false;
const failed: string[] = [];
let taken = 0;

const listener = (tls: boolean) =>
  listen({
    listen: { host: "127.0.0.1", port: 0 },
    limits: { max_request_bytes: 10_000_000 },
    tls: tls ? selfSigned : undefined,
    admission: createAdmission({
      access_control: { allow_cidrs: [], deny_cidrs: [] },
      listen: { host: "127.0.0.1", port: 0, trusted_proxies: [] },
    }),
    patience: { idleSeconds: 4, bodySeconds: 8 },
    handler: (connections) => async (incoming) => {
      const { request, path } = incoming;
      if (path === "/endless") return endless(connections, request);
      try {
        await request.text();
      } catch (error) {
        failed.push(path);
        throw error;
      }
      taken++;
      if (path === "/later") await Bun.sleep(10_000);
      return new Response("ok");
    },
  });

/** An answer that goes on for as long as it is taken. */
function endless(connections: Connections, request: Request): Response {
  connections.holdOpen(request);
  connections.release(request);
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sentBytes += chunk.length;
      controller.enqueue(chunk);
    },
    cancel: () => void (isGivenUp = true),
  });
  return new Response(body);
}

type Client = { socket: Socket; text: string; closedAfterMs: number | undefined; stop(): void };

/** Sends a beginning, and then a little each half second. */
function client(port: number, beginning: string, then = "", reads = true): Client {
  const startedMs = performance.now();
  const one: Client = {
    socket: connect(port, "127.0.0.1", () => one.socket.write(Buffer.from(beginning, "latin1"))),
    text: "",
    closedAfterMs: undefined,
    stop: () => one.socket.destroy(),
  };
  const timer = setInterval(() => then !== "" && one.socket.write(then), 500);
  one.socket.on("error", () => undefined);
  one.socket.on("close", () => {
    clearInterval(timer);
    one.closedAfterMs ??= performance.now() - startedMs;
  });
  if (reads) one.socket.on("data", (part) => (one.text += part.toString("latin1")));
  return one;
}

const plain = listener(false);
const secure = listener(true);
const portOf = ({ url }: { url: string }) => Number(new URL(url).port);
const post = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

let clients: Record<string, Client>;
beforeAll(() => {
  const port = portOf(plain);
  clients = {
    silent: client(port, ""),
    slowLine: client(port, "GET /x HT"),
    slowHead: client(port, "GET /x HTTP/1.1\r\nHost: a\r\nX: ", "y"),
    slowNextHead: client(port, `${get("/x")}GET /x HTTP/1.1\r\nHost: a\r\nX: `, "y"),
    idle: client(port, get("/x")),
    silentBody: client(port, post("/silent", 1_000)),
    slowBody: client(port, post("/slow-body", 1_000), "y"),
    steadyBody: client(port, post("/steady", 20 * 32_768), "y".repeat(32_768)),
    slowHandler: client(port, `${post("/later", 2)}hi`),
    silentHandshake: client(portOf(secure), ""),
    slowHandshake: client(portOf(secure), "\x16\x03\x01\x02\x00\x01\x00", "\x01"),
    takesNothing: client(port, get("/endless"), "", false),
  };
});
afterAll(async () => {
  for (const each of Object.values(clients)) each.stop();
  await Promise.all([plain.drain(0), secure.drain(0)]);
});

const goneWithin = async (name: string, ms: number) => {
  await untilTrue(() => clients[name]?.closedAfterMs !== undefined, ms + 3_000);
  expect(clients[name]?.closedAfterMs).toBeLessThan(ms);
};

test("a connection on which nothing is said ends", () => goneWithin("silent", headGoneMs));
test("so does one whose first line stops", () => goneWithin("slowLine", headGoneMs));
test("so does one whose head comes byte by byte", () => goneWithin("slowHead", headGoneMs));
test("so does one that never gets its TLS handshake done", async () => {
  await goneWithin("silentHandshake", headGoneMs);
  await goneWithin("slowHandshake", headGoneMs);
});
test("the next head on a connection has no longer than one may idle", async () => {
  await goneWithin("slowNextHead", idleGoneMs);
  await goneWithin("idle", idleGoneMs);
  expect(clients.idle?.text).toContain("200 OK");
});

test("a body that stops, or comes byte by byte, ends, and its reader is told", async () => {
  await goneWithin("silentBody", bodyGoneMs);
  await goneWithin("slowBody", bodyGoneMs);
  expect(failed.toSorted()).toEqual(["/silent", "/slow-body"]);
  expect(clients.slowBody?.text).toBe("");
});

test("a body that keeps coming is waited for, for longer than that", async () => {
  await untilTrue(() => clients.steadyBody?.text.includes("200 OK") === true, 16_000);
  expect(failed).not.toContain("/steady");
});

test("a handler may take longer than its request's body may", async () => {
  await untilTrue(() => clients.slowHandler?.text.includes("200 OK") === true, 14_000);
  expect(taken).toBeGreaterThan(0);
});

test("who takes nothing of an answer is let go, and the answer is given up", async () => {
  await untilTrue(() => isGivenUp, 12_000);
  // As much as the sockets' buffers hold; held back by nothing it would have been gigabytes.
  expect(sentBytes).toBeLessThan(48 * 1024 * 1024);
});
