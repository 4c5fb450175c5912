// Which addresses a process connects to, sends to and listens on, as strace sees its system calls: also those that fail, on
// every thread, before and after it starts itself over.
import { readFileSync } from "node:fs";

/** `on` is `<address>:<port>` with IPv6 in brackets, or a path for a Unix socket. */
export type Seen = { call: "bind" | "connect" | "send"; on: string };

/** Why connections cannot be watched here, or `undefined` when they can. */
export function cannotWatch(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "a network namespace needs Linux and root";
  const missing = ["unshare", "ip", "strace"].filter((tool) => Bun.which(tool) === null);
  if (missing.length > 0) return `this machine lacks ${missing.join(", ")}`;
  const quiet = { stdout: "ignore", stderr: "ignore" } as const;
  if (!Bun.spawnSync(["unshare", "--net", "true"], quiet).success)
    return "network namespaces are not allowed here";
  if (!Bun.spawnSync(["strace", "-f", "-o", "/dev/null", "true"], quiet).success)
    return "tracing is not allowed here";
  return undefined;
}

/** The command that runs another one watched, and as the same pid. */
export function watched(command: readonly string[], traceFile: string): string[] {
  const calls = "trace=bind,connect,sendto,sendmsg,sendmmsg";
  return ["strace", "-D", "-f", "-qq", "-s", "0", "-e", calls, "-o", traceFile, ...command];
}

/** What was seen so far, each address once a kind of call. */
export function seenIn(traceFile: string): Seen[] {
  const seen = new Map<string, Seen>();
  for (const line of readFileSync(traceFile, "utf8").split("\n")) {
    const call = /^\d+ +(?:<\.\.\. )?(bind|connect|send)/.exec(line)?.[1] as
      | Seen["call"]
      | undefined;
    if (call === undefined) continue;
    for (const [address] of line.matchAll(/\{sa_family=[^}]*\}/g)) {
      const on = addressIn(address);
      if (on !== undefined) seen.set(`${call} ${on}`, { call, on });
    }
  }
  return [...seen.values()];
}

/** Undefined for what is no other process: the kernel (netlink), and the undoing of a connect (AF_UNSPEC). */
function addressIn(text: string): string | undefined {
  const family = /sa_family=AF_(\w+)/.exec(text)?.[1];
  const port = /htons\((\d+)\)/.exec(text)?.[1];
  switch (family) {
    case "INET":
      return `${/inet_addr\("([^"]*)"\)/.exec(text)?.[1]}:${port}`;
    case "INET6":
      return `[${/inet_pton\(AF_INET6, "([^"]*)"/.exec(text)?.[1]}]:${port}`;
    case "UNIX":
      return /sun_path=(.*)\}/.exec(text)?.[1] ?? "a Unix socket";
    case "NETLINK":
    case "UNSPEC":
      return undefined;
    default:
      return text;
  }
}
