// Hosts of the internet, played on loopback for a process of its own: an HTTP proxy that leads every host to one TLS server, and
// the authority that vouches for it. So what a library sends is seen as it would arrive, under the name it asked for.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyHome } from "./empty-home.ts";
import { portOf } from "./idp.ts";

export type Internet = {
  /** For the environment of the process that is to live in it. */
  env: Record<string, string>;
  /** A directory for files of the test, gone with the internet. */
  directory: string;
  stop(): Promise<void>;
};

/** @param answer plays every host that the certificate names; `url.hostname` says which. */
export async function startInternet(
  answer: (request: Request) => Response | Promise<Response>,
): Promise<Internet> {
  const directory = mkdtempSync(join(tmpdir(), "internet-"));
  writeFileSync(join(directory, "authority.pem"), certificate);
  const web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: certificate, key },
    fetch: answer,
  });
  const proxy = createServer((client) => {
    // One packet: `CONNECT host:443 HTTP/1.1` and its headers.
    client.once("data", () => {
      const server = connect(Number(web.port), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        client.pipe(server).pipe(client);
      });
      server.on("error", () => client.destroy());
      client.on("close", () => server.destroy());
    });
    client.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const proxyUrl = `http://127.0.0.1:${portOf(proxy)}`;

  return {
    directory,
    env: {
      HTTPS_PROXY: proxyUrl,
      https_proxy: proxyUrl,
      NODE_EXTRA_CA_CERTS: join(directory, "authority.pem"),
    },
    async stop() {
      proxy.close();
      await web.stop(true);
      rmSync(directory, { recursive: true });
    },
  };
}

export type Obtained = {
  /** Headers of the first credential, and of the one after the first was refused. */
  proofs: Record<string, string>[];
  /** Why there was none. */
  error?: string;
  stderr: string;
};

/**
 * Asks for a credential twice, the first being refused in between, in a process whose whole environment is `env`.
 * @param kind which credential, and what it is made with (obtain.ts).
 */
export async function obtainWith(
  env: Record<string, string>,
  kind: ["google", { keyFile?: string; projectId: string }] | ["azure", { baseUrl: string }],
): Promise<Obtained> {
  const { stdout, stderr } = await runScript("obtain.ts", kind, env);
  return { ...(JSON.parse(stdout) as Omit<Obtained, "stderr">), stderr };
}

/** Sends one call to each of these upstreams, in a process whose whole environment is `env`; the status of each answer. */
export async function sendWith(
  env: Record<string, string>,
  upstreams: readonly object[],
): Promise<number[]> {
  const { stdout, stderr } = await runScript("send.ts", upstreams, env);
  if (stderr !== "") throw new Error(stderr);
  return JSON.parse(stdout) as number[];
}

async function runScript(name: string, input: unknown, env: Record<string, string>) {
  const script = join(import.meta.dir, name);
  const child = Bun.spawn([process.execPath, script, JSON.stringify(input)], {
    // An empty home and no PATH: the chain of defaults ends in tools that a developer may have signed in with.
    env: { HOME: emptyHome, PATH: emptyHome, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { stdout, stderr };
}

/** For these tests and nothing else; its key is no secret. Valid from 2020 to 2120. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIICDTCCAbKgAwIBAgIUSI6Ma9iOwT7mvn3lVdUznA5E5QIwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPY2xvdWRzIGluIHRlc3RzMCAXDTIwMDEwMTAwMDAwMFoYDzIx
MjAwMTAxMDAwMDAwWjAaMRgwFgYDVQQDDA9jbG91ZHMgaW4gdGVzdHMwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAARkMWUCU+l/7SLG/e8THoRpwQanQR1IOHhqG/wn
KxtehMgGADuXQ9+iIYHpUI7epgtkmiTfgCHiYi+N4H/hmj5so4HTMIHQMIGdBgNV
HREEgZUwgZKCECouZ29vZ2xlYXBpcy5jb22CFyoudXMucmVwLmdvb2dsZWFwaXMu
Y29tghcqLmV1LnJlcC5nb29nbGVhcGlzLmNvbYIZbG9naW4ubWljcm9zb2Z0b25s
aW5lLmNvbYIYbG9naW4ubWljcm9zb2Z0b25saW5lLnVzghcqLnNlcnZpY2VzLmFp
LmF6dXJlLmNvbTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTXDJGAO6jCflIl
jS0HN2GEHsYWkDAKBggqhkjOPQQDAgNJADBGAiEAzftNXfJD8GlxRUB3GNDM4aGj
bp3XFSemXXSah344Ab0CIQDyPP9CuP7fp4QLRamvEOErlKK2xNNcJSG+LUWDJidL
5A==
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggWw0x5xzCYWfgmMh
wFb6C/rfccL7VZLf1vjvZvvU4UChRANCAARkMWUCU+l/7SLG/e8THoRpwQanQR1I
OHhqG/wnKxtehMgGADuXQ9+iIYHpUI7epgtkmiTfgCHiYi+N4H/hmj5s
-----END PRIVATE KEY-----
`;
