// What our own outbound requests may reach, how long they may take and how much they may answer.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { EgressBlockedError } from "../../src/http/address-rules.ts";
import { type EgressOptions, egressFor as egress } from "../support/egress.ts";
import { portOf, rejection } from "../support/idp.ts";
import { selfSigned } from "../support/self-signed.ts";

const web = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/redirect") return Response.redirect("/elsewhere");
    if (path === "/elsewhere") return new Response("reached");
    if (path === "/hang") return new Promise<Response>(() => {});
    if (path === "/drip") return new Response(drip());
    if (path === "/large") return new Response("x".repeat(2_000));
    if (path === "/bomb")
      return new Response(Bun.gzipSync(Buffer.alloc(100_000)), {
        headers: { "content-encoding": "gzip" },
      });
    return new Response("hello", {
      status: 201,
      headers: { "x-seen": request.headers.get("x-sent") ?? "" },
    });
  },
});
const base = `http://127.0.0.1:${web.port}`;
let liar: Server;

beforeAll(async () => {
  // Announces more bytes than it sends.
  liar = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort`, () => socket.destroy()),
    );
  });
  await new Promise<void>((listening) => liar.listen(0, "127.0.0.1", listening));
});

afterAll(async () => {
  await web.stop(true);
  liar.close();
});

/** The message of the error that a request to `url` ends with. */
async function refusal(url: string, options: EgressOptions = {}): Promise<string> {
  const asked = async () => (await egress(options).fetch(url)).text();
  return (await rejection(asked())).message;
}

test("an answer comes through with its status, headers and body", async () => {
  const response = await egress().fetch(`${base}/`, { headers: { "x-sent": "yes" } });
  expect([response.status, response.headers.get("x-seen"), await response.text()]).toEqual([
    201,
    "yes",
    "hello",
  ]);
});

describe("addresses", () => {
  test("loopback is blocked unless the environment allows it, and the message says how", async () => {
    expect(
      await refusal("http://localhost:1/", {
        allowLoopback: false,
        resolve: answering(["127.0.0.1"]),
      }),
    ).toBe(
      "ECONNREFUSED_SSRF: blocked (loopback; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it): localhost → 127.0.0.1",
    );
  });

  const loopbacks = [
    "127.0.0.1",
    "127.9.9.9",
    "0x7f.1",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "0.0.0.0",
    "[::]",
  ];
  test.each(loopbacks)("%s is blocked without the loopback flag", async (host) => {
    expect(await refusal(`http://${host}:1/`, { allowLoopback: false })).toContain(
      "ECONNREFUSED_SSRF: blocked",
    );
  });

  const forbidden = [
    "169.254.169.254",
    "2852039166",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[::ffff:0:a9fe:a9fe]",
    "[2001::5601:5601]",
    "[2001:db8::5efe:a9fe:a9fe]",
    "[fe80::200:5efe:a9fe:a9fe]",
    "[fd00:c1::a9fe:a9fe]",
    "[fd00:42::42]",
    "[::169.254.169.254]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.1.1",
    "[fe80::1]",
    "[febf::1]",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "metadata",
  ];
  test.each(forbidden)("%s is blocked even with the loopback flag", async (host) => {
    const resolve = () => Promise.reject(new Error(`${host} must not be resolved`));
    expect(await refusal(`http://${host}/`, { resolve })).toMatch(
      /ECONNREFUSED_SSRF: blocked \((cloud metadata|link-local|IPv4 tunnel)\)/,
    );
  });

  test("a name is refused when any of its addresses is forbidden", async () => {
    const resolve = answering(["127.0.0.1", "169.254.169.254"]);
    expect(await refusal("http://idp.example/", { resolve })).toBe(
      "ECONNREFUSED_SSRF: blocked (cloud metadata): idp.example → 169.254.169.254",
    );
  });

  test("what a resolver gives that is no address is refused", async () => {
    for (const answer of ["127.1", "garbage", ""]) {
      const refused = await refusal("http://idp.example/", { resolve: answering([answer]) });
      expect(refused).toContain("blocked (no address)");
    }
  });

  test("only http and https go out", async () => {
    expect(await rejection(egress().fetch("file:///etc/passwd"))).toBeInstanceOf(
      EgressBlockedError,
    );
  });
});

describe("answers", () => {
  test("a redirect is refused and not followed", async () => {
    expect(await refusal(`${base}/redirect`)).toBe(
      `redirect refused: ${base}/redirect answered 302`,
    );
  });

  test("a body longer than the bound fails while it is read", async () => {
    expect(await refusal(`${base}/large`)).toContain("answer is longer than 1000 bytes");
    expect(await refusal(`${base}/bomb`)).toContain("answer is longer than 1000 bytes");
    expect(
      await (await egress({ responseBytesMax: 2_000 }).fetch(`${base}/large`)).text(),
    ).toHaveLength(2_000);
  });

  test("a body that breaks off before its announced length is an error, not an answer", async () => {
    expect(await refusal(`http://127.0.0.1:${portOf(liar)}/`)).toContain("ECONNRESET");
  });

  test("the time-out covers the wait for an answer and the body", async () => {
    expect(await refusal(`${base}/hang`, { timeoutMs: 100 })).toContain(
      "no complete answer within 100 ms",
    );
    expect(await refusal(`${base}/drip`, { timeoutMs: 200 })).toContain(
      "no complete answer within 200 ms",
    );
  });

  test("the time-out covers a resolver that does not answer", async () => {
    expect(await refusal("http://idp.example/", { resolve: silent, timeoutMs: 50 })).toContain(
      "no complete answer within 50 ms",
    );
  });

  test("network errors keep their cause, and no query is told", async () => {
    const message = await refusal("http://127.0.0.1:1/token?code=secret");
    expect(message).toStartWith("http://127.0.0.1:1/token: ECONNREFUSED");
    expect(message).not.toContain("secret");
    expect(await refusal("http://nope.invalid/")).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test("a caller's own signal ends the request", async () => {
    const asked = egress().fetch(`${base}/hang`, { signal: AbortSignal.timeout(50) });
    expect((await rejection(asked)).message).toContain(`${base}/hang`);
  });
});

test("a proxy in the environment is not used", async () => {
  const { http_proxy } = process.env;
  process.env.http_proxy = "http://127.0.0.1:1";
  try {
    expect((await rejection(fetch(base))).message).toContain("ECONNREFUSED");
    expect((await egress().fetch(`${base}/`)).status).toBe(201);
  } finally {
    if (http_proxy === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = http_proxy;
  }
});

describe("certificates", () => {
  const secure = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: selfSigned,
    fetch: () => new Response("private"),
  });
  const url = `https://127.0.0.1:${secure.port}/`;
  afterAll(() => secure.stop(true));

  test("that nobody vouches for are refused, whatever the environment says", async () => {
    const { NODE_TLS_REJECT_UNAUTHORIZED } = process.env;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      expect(await refusal(url)).toMatch(/SELF_SIGNED|self.signed/i);
    } finally {
      if (NODE_TLS_REJECT_UNAUTHORIZED === undefined)
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = NODE_TLS_REJECT_UNAUTHORIZED;
    }
  });

  test("of the configured authority are accepted", async () => {
    expect(await (await egress({ caPem: selfSigned.cert }).fetch(url)).text()).toBe("private");
  });
});

/** Resolvers: one that knows these addresses, and one that never answers. */
function answering(addresses: string[]) {
  return async () => addresses;
}
const silent = () => new Promise<string[]>(() => {});

async function* drip() {
  for (;;) {
    yield "x";
    await Bun.sleep(20);
  }
}
