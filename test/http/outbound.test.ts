// Where a request really goes: to the address that was checked, under the name that is configured.
import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { EgressBlockedError } from "../../src/http/address-rules.ts";
import { firstToAnswer } from "../../src/http/first-to-answer.ts";
import { createOutbound, type NetworkOptions } from "../../src/http/outbound.ts";
import { readProxies } from "../../src/http/proxies.ts";
import { portOf, rejection } from "../support/idp.ts";
import { openNetwork } from "../support/egress.ts";
import { recordingProxy } from "../support/recording-proxy.ts";
import { selfSigned } from "../support/self-signed.ts";

const web = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    if (new URL(request.url).pathname === "/redirect") return Response.redirect("/elsewhere");
    return new Response(request.headers.get("host"));
  },
});
const secure = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: selfSigned,
  fetch: (request) => new Response(request.headers.get("host")),
});
afterAll(async () => {
  await web.stop(true);
  await secure.stop(true);
});

/** A way out over a DNS that gives these answers, one after the other, and then the last. */
function outboundTo(
  answers: string[][],
  { caPem, ...options }: Partial<NetworkOptions> & { caPem?: string } = {},
) {
  const left = [...answers];
  const resolve = async () => (left.length > 1 ? (left.shift() ?? []) : (left[0] ?? []));
  return createOutbound(openNetwork({ resolve, ...options }), { caPem });
}

test("the connection goes to the address that was checked, whatever the name leads to elsewhere", async () => {
  // Nobody else can look this name up (RFC 6761): had the connection done so, it would have failed.
  const send = outboundTo([["127.0.0.1"], ["169.254.169.254"]]);
  const answer = await send(`http://api.invalid:${web.port}/v1?x=1`);
  expect(await answer.text()).toBe(`api.invalid:${web.port}`);
});

test("a certificate is checked against the name and not against the address", async () => {
  const send = outboundTo([["127.0.0.1"]], { caPem: selfSigned.cert });
  expect(await (await send(`https://localhost:${secure.port}/`)).text()).toBe(
    `localhost:${secure.port}`,
  );
  // The certificate is good for 127.0.0.1, and for no name but localhost.
  const refused = await rejection(send(`https://api.invalid:${secure.port}/`));
  expect(refused.message).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
});

test("a connection that was opened for one name does not serve another", async () => {
  const send = outboundTo([["127.0.0.1"]], { caPem: selfSigned.cert });
  for (let count = 0; count < 3; count += 1) {
    await (await send(`https://localhost:${secure.port}/`)).text();
    expect((await rejection(send(`https://api.invalid:${secure.port}/`))).message).toContain(
      "ALTNAME",
    );
  }
});

test("when nobody answers at one address the next one is tried", async () => {
  const send = outboundTo([["127.0.0.9", "127.0.0.1"]]);
  expect((await send(`http://api.invalid:${web.port}/`)).status).toBe(200);
});

test("when nobody answers at any, the error says so", async () => {
  const send = outboundTo([["127.0.0.8", "127.0.0.9"]]);
  expect((await rejection(send(`http://api.invalid:${web.port}/`))).message).toContain(
    "ECONNREFUSED",
  );
});

test("what may have been received is not sent a second time", async () => {
  let received = 0;
  const cut = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      received += 1;
      socket.resetAndDestroy();
    });
  });
  await new Promise<void>((listening) => cut.listen(0, "127.0.0.1", listening));
  const send = outboundTo([["127.0.0.1", "127.0.0.1"]]);
  const request = send(`http://api.invalid:${portOf(cut)}/`, { method: "POST", body: "once" });
  expect((await rejection(request)).message).toContain("ECONNRESET");
  cut.close();
  expect(received).toBe(1);
});

test("a look-up that hangs is left behind when the caller gives up", async () => {
  const network = openNetwork({ resolve: () => new Promise<string[]>(() => undefined) });
  const request = createOutbound(network)("http://api.invalid/", {
    signal: AbortSignal.timeout(20),
  });
  expect((await rejection(request)).name).toBe("TimeoutError");
});

test("a redirect is handed back and not followed", async () => {
  expect(
    (await outboundTo([["127.0.0.1"]])(`http://api.invalid:${web.port}/redirect`)).status,
  ).toBe(302);
});

describe("through a proxy", () => {
  test("it is asked for the checked address, and the certificate is still the name's", async () => {
    await using proxy = await recordingProxy();
    const proxies = readProxies({ HTTPS_PROXY: proxy.url });
    const send = outboundTo([["10.255.0.1"]], { proxies, caPem: selfSigned.cert });
    proxy.leadTo("127.0.0.1");
    const refused = await rejection(send(`https://localhost.example:${secure.port}/`));
    expect(refused.message).toContain("ALTNAME");
    expect(proxy.asked).toEqual([`CONNECT 10.255.0.1:${secure.port}`]);
  });

  test("a name that leads to a forbidden address does not reach it", async () => {
    await using proxy = await recordingProxy();
    const send = outboundTo([["169.254.169.254"]], {
      proxies: readProxies({ HTTPS_PROXY: proxy.url }),
    });
    expect(await rejection(send("https://api.example/"))).toBeInstanceOf(EgressBlockedError);
    expect(proxy.asked).toEqual([]);
  });

  test("a name that the runtime would exempt by itself is not handed out unchecked", async () => {
    await using proxy = await recordingProxy();
    // It reads the variable by itself, for the end of a name, whatever it is told.
    const { NO_PROXY } = process.env;
    process.env.NO_PROXY = "invalid";
    try {
      const env = { HTTPS_PROXY: proxy.url, NO_PROXY: "invalid" };
      const network = { proxies: readProxies(env), namesToProxy: true };
      const send = outboundTo([["169.254.169.254"]], network);
      expect(await rejection(send("https://api.invalid/"))).toBeInstanceOf(EgressBlockedError);
      const allowed = outboundTo([["127.0.0.1"]], network);
      await allowed(`https://api.invalid:${secure.port}/`).catch(() => undefined);
      expect(proxy.asked).toEqual([`CONNECT 127.0.0.1:${secure.port}`]);
    } finally {
      if (NO_PROXY === undefined) delete process.env.NO_PROXY;
      else process.env.NO_PROXY = NO_PROXY;
    }
  });

  test("that is the egress boundary, it is given the name, which nobody here looks up", async () => {
    await using proxy = await recordingProxy();
    const env = { HTTPS_PROXY: proxy.url, CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY: "1" };
    const send = outboundTo([[]], { proxies: readProxies(env), caPem: selfSigned.cert });
    proxy.leadTo("127.0.0.1");
    await send(`https://api.example:${secure.port}/`).catch(() => undefined);
    expect(proxy.asked).toEqual([`CONNECT api.example:${secure.port}`]);
    for (const host of ["x.localhost", "ip6-localhost", "169.254.169.254"]) {
      expect(await rejection(send(`https://${host}/`))).toBeInstanceOf(EgressBlockedError);
    }
    expect(proxy.asked).toHaveLength(1);
  });
});

describe("the first address to answer", () => {
  test("is the one that takes a connection", async () => {
    expect(await firstToAnswer(["127.0.0.9", "127.0.0.1"], web.port ?? 0)).toBe("127.0.0.1");
  });

  test("is none when nobody does", async () => {
    expect(await firstToAnswer(["127.0.0.8", "127.0.0.9"], web.port ?? 0)).toBeUndefined();
  });
});
