// A proxy (RFC 9110 §9.3.6) that notes what it is asked for and leads everything to one host.
import { connect, createServer } from "node:net";
import { portOf } from "./idp.ts";

export async function recordingProxy() {
  const asked: string[] = [];
  let leadsTo: string | undefined;
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    client.once("data", (head) => {
      const [, method = "", asks = ""] = /^(\S+) (\S+)/.exec(head.toString()) ?? [];
      asked.push(`${method} ${asks}`);
      const port = Number(/:(\d+)$/.exec(asks)?.[1]);
      if (leadsTo === undefined || method !== "CONNECT") {
        client.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        return;
      }
      const target = connect(port, leadsTo, () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      target.on("error", () => client.destroy());
      target.pipe(client);
      client.pipe(target);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    /** `METHOD target` of each request. */
    asked,
    leadTo(host: string) {
      leadsTo = host;
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
