// A proxy that lets nothing through, and knows which hosts a process would have reached.
import { createServer } from "node:net";
import { join } from "node:path";
import { emptyHome } from "./empty-home.ts";
import { portOf } from "./idp.ts";

/** Hosts, each once, that AWS is asked at for this in these regions (ask-aws.ts), in a process whose whole environment is `env`. */
export async function awsHostsAsked(
  [kind, ...regions]: [kind: "sts" | "bedrock" | "mantle" | "anthropicAws", ...string[]],
  env: Record<string, string> = {},
): Promise<string[]> {
  const hosts = new Set<string>();
  const proxy = createServer((client) => {
    client.once("data", (head) => {
      hosts.add(/^CONNECT (\S+):443 /.exec(head.toString())?.[1] ?? head.toString());
      client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    client.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const HTTPS_PROXY = `http://127.0.0.1:${portOf(proxy)}`;
  const script = join(import.meta.dir, "ask-aws.ts");
  const child = Bun.spawn([process.execPath, script, kind, ...regions], {
    env: { HOME: emptyHome, HTTPS_PROXY, ...env },
    stderr: "pipe",
  });
  const stderr = await child.stderr.text();
  proxy.close();
  if (stderr !== "") throw new Error(stderr);
  return [...hosts];
}
