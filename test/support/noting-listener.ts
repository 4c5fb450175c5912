// A listener as the gateway's, before a handler that notes which requests reach it and answers `ok`.
import { createAdmission } from "../../src/http/admission.ts";
import { listen } from "../../src/http/listener.ts";

/** `read`: `METHOD /path body` of each request. */
export function listenNoting() {
  const read: string[] = [];
  const listener = listen({
    listen: { host: "127.0.0.1", port: 0 },
    limits: { max_request_bytes: 1_000_000 },
    tls: undefined,
    admission: createAdmission({
      access_control: { allow_cidrs: [], deny_cidrs: [] },
      listen: { host: "127.0.0.1", port: 0, trusted_proxies: [] },
    }),
    handler: () => async (incoming) => {
      const { request, path } = incoming;
      read.push(`${request.method} ${path} ${await request.text()}`);
      if (path === "/later") await Bun.sleep(50);
      return new Response("ok");
    },
  });
  return { read, listener, port: Number(new URL(listener.url).port) };
}
