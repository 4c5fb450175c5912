// Where connections of libraries may go: what is looked up for them, and that they go to what was looked up.
import { afterAll, describe, expect, test } from "bun:test";
import type { LookupAddress } from "node:dns";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createServer, createSecureContext } from "node:tls";
import { EgressBlockedError } from "../../src/http/egress.ts";
import {
  createGuardedLookup,
  type LookupGuard,
  requireAllowedUrl,
} from "../../src/http/guarded-lookup.ts";
import { portOf } from "../support/idp.ts";
import { selfSigned } from "../support/self-signed.ts";

const web = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => new Response(request.headers.get("host")),
});
afterAll(() => web.stop(true));

const loopbackReason =
  "loopback; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it";

/** A resolver that knows these addresses, and what it was asked. */
function knowing(...addresses: string[]) {
  const asked: string[] = [];
  const resolve = async (hostname: string): Promise<LookupAddress[]> => {
    asked.push(hostname);
    return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  return { resolve, asked };
}

/** What the look-up calls back with. */
function lookUp(hostname: string, guard: LookupGuard, options = {}): Promise<unknown[]> {
  return new Promise((resolve) => {
    createGuardedLookup(guard)(hostname, options, (...answer) => resolve(answer));
  });
}

/** The message of the error that a look-up among these addresses ends with; empty when it does not. */
async function refusal(allowLoopback: boolean, ...addresses: string[]): Promise<string> {
  const { resolve } = knowing(...addresses);
  const [error] = await lookUp("otel.example", { allowLoopback, resolve });
  if (error === null) return "";
  expect(error).toBeInstanceOf(EgressBlockedError);
  return (error as Error).message;
}

describe("a look-up", () => {
  const { resolve } = knowing("10.0.0.1", "fd12::1");

  test("gives every address to who wants all of them", async () => {
    const answer = await lookUp("otel.example", { allowLoopback: false, resolve }, { all: true });
    expect(answer).toEqual([
      null,
      [
        { address: "10.0.0.1", family: 4 },
        { address: "fd12::1", family: 6 },
      ],
    ]);
  });

  test("gives the first one otherwise", async () => {
    const answer = await lookUp("otel.example", { allowLoopback: false, resolve });
    expect(answer).toEqual([null, "10.0.0.1", 4]);
  });

  test("hands on what is asked of the resolver", async () => {
    const asked: unknown[] = [];
    const guard = {
      allowLoopback: true,
      resolve: async (...question: unknown[]) => {
        asked.push(question);
        return [{ address: "::1", family: 6 }];
      },
    };
    await lookUp("otel.example", guard, { family: 6, hints: 32 });
    expect(asked).toEqual([["otel.example", { family: 6, hints: 32 }]]);
  });

  test("asks the system when nothing else is said", async () => {
    const [error, addresses] = await lookUp("localhost", { allowLoopback: true }, { all: true });
    expect(error).toBeNull();
    expect(addresses).toContainEqual({ address: "127.0.0.1", family: 4 });
  });

  test("fails as the resolver does", async () => {
    const broken = async () => Promise.reject(new Error("getaddrinfo ENOTFOUND otel.example"));
    const [error] = await lookUp("otel.example", { allowLoopback: true, resolve: broken });
    expect((error as Error).message).toBe("getaddrinfo ENOTFOUND otel.example");
  });

  test("without an answer fails", async () => {
    const { resolve: none } = knowing();
    const [error] = await lookUp("otel.example", { allowLoopback: true, resolve: none });
    expect((error as Error).message).toBe("ENOTFOUND: otel.example has no address");
  });
});

describe("a name is refused", () => {
  test("when it leads to this machine, unless that is allowed", async () => {
    expect(await refusal(false, "127.0.0.1")).toBe(
      `ECONNREFUSED_SSRF: blocked (${loopbackReason}): otel.example → 127.0.0.1`,
    );
    expect(await refusal(false, "::ffff:127.0.0.1")).toContain("blocked (loopback");
    expect(await refusal(false, "0.0.0.0")).toContain("blocked (unspecified address");
    expect(await refusal(true, "127.0.0.1")).toBe("");
  });

  test("when it leads to where clouds hand out credentials, or next to it, whatever is allowed", async () => {
    expect(await refusal(true, "169.254.169.254")).toBe(
      "ECONNREFUSED_SSRF: blocked (cloud metadata): otel.example → 169.254.169.254",
    );
    expect(await refusal(true, "64:ff9b::a9fe:a9fe")).toContain("blocked (cloud metadata)");
    expect(await refusal(true, "fe80::1%eth0")).toContain("blocked (link-local)");
  });

  test("when one of its addresses is forbidden, as the connection may pick any", async () => {
    expect(await refusal(true, "10.0.0.1", "169.254.169.254")).toContain("→ 169.254.169.254");
  });

  test("without being looked up when it is a metadata endpoint's", async () => {
    const { resolve, asked } = knowing("10.0.0.1");
    const [error] = await lookUp("METADATA.google.internal.", { allowLoopback: true, resolve });
    expect((error as Error).message).toBe(
      "ECONNREFUSED_SSRF: blocked (cloud metadata): metadata.google.internal",
    );
    expect(asked).toEqual([]);
  });
});

describe("a URL is refused without a look-up", () => {
  const refused = (url: string, allowLoopback: boolean) => {
    try {
      requireAllowedUrl(new URL(url), { allowLoopback });
      return "";
    } catch (error) {
      expect(error).toBeInstanceOf(EgressBlockedError);
      return (error as Error).message;
    }
  };

  test.each([
    "http://169.254.169.254/",
    "http://2852039166/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "http://metadata/",
    "ftp://otel.example/",
  ])("when it is %s", (url) => {
    expect(refused(url, true)).toContain("blocked (");
  });

  test("when its address is this machine's, unless that is allowed", () => {
    for (const url of [
      "http://127.0.0.1:4318",
      "http://[::1]",
      "http://0x7f.1",
      "http://0.0.0.0",
    ]) {
      expect(refused(url, false)).toContain("blocked (");
      expect(refused(url, true)).toBe("");
    }
  });

  test("but not for its name, nor for an address in a private network", () => {
    expect(refused("https://otel.example/", false)).toBe("");
    expect(refused("https://10.0.0.1/", false)).toBe("");
  });
});

describe("a connection", () => {
  const ask = (agent: HttpAgent | HttpsAgent, url: string) =>
    new Promise<string>((resolve) => {
      const request = url.startsWith("https:") ? httpsRequest : httpRequest;
      request(new URL(url), { agent }, (answer) => {
        answer.setEncoding("utf8").once("data", resolve);
      })
        .on("error", ({ message }) => resolve(message))
        .end();
    });

  test("goes to what was checked, and the name is not looked up again", async () => {
    let lookups = 0;
    const rebinding = async () => [
      { address: ++lookups === 1 ? "127.0.0.1" : "169.254.169.254", family: 4 },
    ];
    const lookup = createGuardedLookup({ allowLoopback: true, resolve: rebinding });
    const host = `rebinding.example:${web.port}`;
    expect(await ask(new HttpAgent({ lookup }), `http://${host}/`)).toBe(host);
    expect(lookups).toBe(1);
  });

  test("is not made to what is forbidden", async () => {
    const lookup = createGuardedLookup({ allowLoopback: false, ...knowing("127.0.0.1") });
    const answer = await ask(new HttpAgent({ lookup }), `http://otel.example:${web.port}/`);
    expect(answer).toContain("ECONNREFUSED_SSRF");
  });

  test("with TLS is to the name: in what is asked for, and in the certificate", async () => {
    const names: string[] = [];
    const server = createServer(
      {
        ...selfSigned,
        SNICallback: (name, done) => {
          names.push(name);
          done(null, createSecureContext(selfSigned));
        },
      },
      (socket) => {
        socket.on("error", () => socket.destroy());
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
      },
    );
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const lookup = createGuardedLookup({ allowLoopback: true, ...knowing("127.0.0.1") });
    const trusting = new HttpsAgent({ lookup, ca: selfSigned.cert, maxCachedSessions: 0 });
    const port = portOf(server);
    expect(await ask(trusting, `https://localhost:${port}/`)).toBe("ok");
    expect(await ask(trusting, `https://otel.example:${port}/`)).toContain("altnames");
    expect(await ask(new HttpsAgent({ lookup }), `https://localhost:${port}/`)).toMatch(
      /self.signed/,
    );
    expect(new Set(names)).toEqual(new Set(["localhost", "otel.example"]));
    server.close();
  });
});
