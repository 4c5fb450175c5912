// Connections that node:http makes for a library: they go to what was looked up and checked, and no further.
import { afterAll, describe, expect, test } from "bun:test";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createSecureContext, createServer } from "node:tls";
import { createGuardedAgent } from "../../src/http/guarded-agent.ts";
import type { NetworkOptions } from "../../src/http/outbound.ts";
import { readProxies } from "../../src/http/proxies.ts";
import { openNetwork } from "../support/egress.ts";
import { portOf } from "../support/idp.ts";
import { recordingProxy } from "../support/recording-proxy.ts";
import { selfSigned } from "../support/self-signed.ts";

const web = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => new Response(request.headers.get("host")),
});
afterAll(() => web.stop(true));

/** What a request through the agent is answered, or the message of the error that it ends with. */
function ask(
  url: string,
  options: Partial<NetworkOptions> = {},
  trust: { ca?: string } = {},
): Promise<string> {
  const agent = createGuardedAgent(new URL(url), openNetwork(options));
  return new Promise<string>((resolve) => {
    const request = url.startsWith("https:") ? httpsRequest : httpRequest;
    request(new URL(url), { agent, ...trust }, (answer) => {
      answer.setEncoding("utf8").once("data", resolve);
    })
      .on("error", ({ message }) => resolve(message))
      .end();
  });
}

/** A resolver that knows these addresses. */
function knowing(...addresses: string[]) {
  return { resolve: async () => addresses };
}

describe("a connection", () => {
  test("goes to what was checked, and the name is not looked up again", async () => {
    let lookups = 0;
    const rebinding = async () => [++lookups === 1 ? "127.0.0.1" : "169.254.169.254"];
    const host = `rebinding.example:${web.port}`;
    expect(await ask(`http://${host}/`, { resolve: rebinding })).toBe(host);
    expect(lookups).toBe(1);
  });

  test("is not made to what is forbidden", async () => {
    const guard = { allowLoopback: false, ...knowing("127.0.0.1") };
    const answer = await ask(`http://otel.example:${web.port}/`, guard);
    expect(answer).toContain("ECONNREFUSED_SSRF");
    expect(await ask("http://169.254.169.254/")).toContain("blocked (cloud metadata)");
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
    const here = knowing("127.0.0.1");
    const trust = { ca: selfSigned.cert };
    const port = portOf(server);
    expect(await ask(`https://localhost:${port}/`, here, trust)).toBe("ok");
    expect(await ask(`https://otel.example:${port}/`, here, trust)).toContain("altnames");
    expect(await ask(`https://localhost:${port}/`, here)).toMatch(/self.signed/);
    expect(new Set(names)).toEqual(new Set(["localhost", "otel.example"]));
    server.close();
  });

  test("through a proxy is asked for by the checked address, and is still the name's", async () => {
    await using proxy = await recordingProxy();
    const proxies = readProxies({ HTTPS_PROXY: proxy.url });
    await ask("https://otel.example:4318/", { proxies, ...knowing("10.255.0.1") });
    expect(proxy.asked).toEqual(["CONNECT 10.255.0.1:4318"]);
  });

  test("through the egress boundary is asked for by name", async () => {
    await using proxy = await recordingProxy();
    const env = { HTTPS_PROXY: proxy.url, CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY: "1" };
    await ask("https://otel.example:4318/", { proxies: readProxies(env), ...knowing() });
    expect(proxy.asked).toEqual(["CONNECT otel.example:4318"]);
  });
});
