// A proxy in front and the gateway must agree on which requests there are: what one takes for a body must not be a request to
// the other. Every odd sequence, and a few hundred put together at random, is sent through nginx, which says what it sent on.
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { byteSequences } from "../support/byte-sequences.ts";
import { freePort } from "../support/gateway.ts";
import { listenNoting } from "../support/noting-listener.ts";
import { exchange } from "../support/raw-http.ts";

const nginx = Bun.which("nginx") ?? "/usr/sbin/nginx";
const hasNginx = await Bun.file(nginx).exists();

describe.skipIf(!hasNginx)("behind nginx", async () => {
  if (!hasNginx) return;
  const { read, listener } = listenNoting();
  const directory = await mkdtemp(join(tmpdir(), "behind-nginx-"));
  const port = await freePort();
  await writeFile(join(directory, "nginx.conf"), configuration(new URL(listener.url).host, port));
  const proxy = Bun.spawn([nginx, "-p", directory, "-c", "nginx.conf", "-e", "error.log"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  afterAll(async () => {
    proxy.kill("SIGQUIT");
    await proxy.exited;
    await listener.drain(0);
    await rm(directory, { recursive: true, force: true });
  });

  /** `METHOD path` of what nginx has sent on, once it has logged a request of this path. */
  async function sentOnUntil(path: string): Promise<string[]> {
    for (let tries = 0; tries < 300; tries++) {
      const log = await readFile(join(directory, "access.log"), "latin1").catch(() => "");
      if (log.includes(`GET ${path}\n`)) return log.trim().split("\n");
      await Bun.sleep(10);
    }
    throw new Error(`nginx has not sent on ${path}`);
  }
  const plain = async (path: string) => {
    const head = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    for (let tries = 0; tries < 100; tries++) {
      const { statuses } = await exchange(port, head, { answers: 1, closed: false, end: true });
      if (statuses.length > 0) return statuses;
    }
    return [];
  };

  /** Sends all of it through, some at a time so that connections to the gateway are used again. */
  async function agreesOn(sequences: readonly string[], lastPath: string) {
    expect(await plain("/first")).toEqual([200]);
    read.length = 0;
    const waiting = [...sequences];
    const lane = async () => {
      for (let bytes = waiting.shift(); bytes !== undefined; bytes = waiting.shift()) {
        await exchange(port, bytes, { answers: 1, closed: true, end: true });
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    expect(await plain(lastPath)).toEqual([200]);
    const sentOn = new Map<string, number>();
    for (const line of await sentOnUntil(lastPath)) sentOn.set(line, (sentOn.get(line) ?? 0) + 1);
    const heads = read.map((line) => line.split(" ", 2).join(" "));
    const surplus = heads.filter((line) => {
      const left = sentOn.get(line) ?? 0;
      sentOn.set(line, left - 1);
      return left <= 0;
    });
    expect(surplus).toEqual([]);
    // Some of it is well-formed, and has come through.
    expect(read.length).toBeGreaterThan(5);
  }

  test("the gateway reads no request that the proxy has not sent", async () => {
    await agreesOn(
      byteSequences.map(({ bytes }) => bytes),
      "/after-all",
    );
  });

  test("nor of sequences that are put together at random", async () => {
    const hidden = "GET /hidden HTTP/1.1\r\nHost: b\r\n\r\n";
    const fields = [
      "Content-Length: 5\r\n",
      "Content-Length: 0\r\n",
      `Content-Length: ${hidden.length}\r\n`,
      "Content-Length: +5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Transfer-Encoding:\tchunked \r\n",
      "Transfer-Encoding: identity\r\n",
      "transfer_encoding: chunked\r\n",
      "X: y\n",
      "X: y\r\n folded\r\n",
      "Connection: content-length\r\n",
      "Connection: close\r\n",
      "Upgrade: h2c\r\n",
      "Expect: 100-continue\r\n",
    ];
    const bodies = [
      "",
      hidden,
      `0\r\n\r\n${hidden}`,
      `5\r\nhello\r\n0\r\n\r\n${hidden}`,
      `0\r\nX: y\r\n\r\n${hidden}`,
      `5;x\r\nhello\r\n0\r\n${hidden}`,
      `hello${hidden}`,
      `22\r\n${hidden}\r\n0\r\n\r\n`,
      `ffffffffffffffff5\r\nhello\r\n0\r\n\r\n${hidden}`,
    ];
    const sequence = fc
      .record({
        line: fc.constantFrom(
          "POST /form HTTP/1.1\r\n",
          "GET /next HTTP/1.1\r\n",
          "GET http://b/x HTTP/1.1\r\n",
          "PUT /x/../form HTTP/1.1\r\n",
          "POST /form HTTP/1.0\r\n",
        ),
        host: fc.constantFrom(
          "Host: a\r\n",
          "Host: a\r\n",
          "Host: a\r\n",
          "Host: a\r\nHost: b\r\n",
          "",
        ),
        some: fc.array(fc.constantFrom(...fields), { maxLength: 3 }),
        body: fc.constantFrom(...bodies),
      })
      .map(({ line, host, some, body }) => `${line}${host}${some.join("")}\r\n${body}`);
    await agreesOn(
      fc.sample(
        fc.array(sequence, { minLength: 1, maxLength: 2 }).map((both) => both.join("")),
        { numRuns: 400, seed: 7 },
      ),
      "/after-random",
    );
  });
});

/** Sends bodies on as they come, keeps connections to the gateway, and logs what it has sent on, as it read it. */
function configuration(gateway: string, port: number): string {
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 256; }
http {
  log_format sent "$sent_on";
  map $upstream_addr $was_sent { "" 0; default 1; }
  map $request_method $sent_on { default "$request_method $uri"; }
  access_log access.log sent if=$was_sent;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream gateway { server ${gateway}; keepalive 4; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_ignore_client_abort on;
    }
  }
}
`;
}
