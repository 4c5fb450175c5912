// A gateway as a process: its configuration in a file, its stderr kept, its end by SIGTERM.
import { join } from "node:path";
import { type AuditRecord, auditRecords } from "../support/gateway.ts";

const bootSecondsMax = 30;
const stopSecondsMax = 35;

export type GatewayProcess = {
  stderr(): string;
  /** Audit events of one kind so far. */
  audit(evt: string): AuditRecord[];
  /** SIGTERM, then the exit code; SIGKILL when it does not end in time. Further calls return the same. */
  stop(): Promise<number>;
};

/** @param command with `{config}` where the path of the configuration goes. Resolves when the gateway listens. */
export async function startGateway(
  command: string,
  directory: string,
  config: object,
): Promise<GatewayProcess> {
  const path = join(directory, "gateway.yaml");
  await Bun.write(path, JSON.stringify(config, null, 2)); // JSON is YAML
  const child = Bun.spawn(
    command.split(" ").map((word) => word.replace("{config}", path)),
    {
      cwd: directory,
      env: {
        PATH: process.env["PATH"],
        HOME: directory,
        CLAUDE_CONFIG_DIR: join(directory, ".claude"),
        CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1",
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let stderr = "";
  const drained = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) stderr += decoder.decode(chunk, { stream: true });
  })();
  const until = Date.now() + bootSecondsMax * 1000;
  while (!/listening on http/.test(stderr)) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`the gateway did not start (exit code ${child.exitCode}):\n${stderr}`);
    }
    await Bun.sleep(20);
  }
  return {
    stderr: () => stderr,
    audit: (evt) => auditRecords(stderr, evt),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopSecondsMax * 1000);
      await Promise.all([child.exited, drained]);
      clearTimeout(timer);
      return child.exitCode ?? 1;
    },
  };
}
