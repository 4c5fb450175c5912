// A terminal (tmux) with a program in it, inside a mount namespace of its own where /etc/claude-code holds the managed
// settings of the test: the machine's own are neither read nor written. Needs root, tmux and unshare.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const managed = "/etc/claude-code";

/** In the new namespace: managed settings from $1, then the program, in the directory $2. */
const enter = `
set -eu
mount -t tmpfs none ${managed}
cp "$1" ${managed}/managed-settings.json
cd "$2"
shift 2
exec "$@"
`;

/** `exitCode` is null when the time was up. */
export type Finished = { exitCode: number | null; output: string };

export type Workplace = {
  /** Where the client keeps what it was given: credentials, settings. */
  configDirectory: string;
  /** Runs a program to its end, without a terminal. `env` is what the developer sets for it. */
  run(command: readonly string[], seconds: number, env?: Record<string, string>): Promise<Finished>;
  openTerminal(command: readonly string[]): Terminal;
  /** Ends the terminal and removes every file. */
  close(): Promise<void>;
};

export type Terminal = {
  /** What the screen shows now. */
  screen(): string;
  /** Presses keys by tmux's names: `Enter`, `Up`. */
  press(...keys: string[]): void;
  type(text: string): void;
};

/** What this machine lacks, in words; empty when nothing. */
export function missingTools(): string[] {
  const missing = ["tmux", "unshare", "mount"].filter((tool) => Bun.which(tool) === null);
  if (process.getuid?.() !== 0) missing.push("root, for a mount namespace");
  return missing;
}

/** @param settings the managed settings that programs in this place see. */
export async function openWorkplace(settings: object): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), "gateway-client-"));
  const [home, work, settingsFile] = [
    join(directory, "home"),
    join(directory, "work"),
    join(directory, "settings.json"),
  ];
  for (const path of [home, work]) await mkdir(path);
  await writeFile(settingsFile, JSON.stringify(settings));
  // A mount needs a place to be mounted at. Made here, it is taken away again; what was there is only covered.
  const managedIsOurs = !existsSync(managed);
  if (managedIsOurs) await mkdir(managed);

  const configDirectory = join(home, ".claude");
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    CLAUDE_CONFIG_DIR: configDirectory,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    BROWSER: "/bin/true",
    TERM: "xterm-256color",
    LANG: "C.UTF-8",
  };
  const namespace = ["unshare", "--mount", "sh", "-c", enter, "enter", settingsFile, work];
  const inside = (command: readonly string[]) => [...namespace, ...command];
  const socket = join(directory, "tmux");
  const tmux = (...args: string[]) => {
    const { stdout } = Bun.spawnSync(["tmux", "-S", socket, ...args], { env, stderr: "ignore" });
    return stdout.toString();
  };

  return {
    configDirectory,
    run: (command, seconds, own = {}) => runToItsEnd(inside(command), seconds, { ...env, ...own }),
    openTerminal(command) {
      tmux("new-session", "-d", "-s", "client", "-x", "140", "-y", "50", ...inside(command));
      return {
        screen: () => tmux("capture-pane", "-p", "-t", "client"),
        press: (...keys) => void tmux("send-keys", "-t", "client", ...keys),
        type: (text) => void tmux("send-keys", "-t", "client", "-l", text),
      };
    },
    async close() {
      tmux("kill-server");
      await Bun.sleep(500); // the client writes its last files on the way out
      await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
      if (managedIsOurs) await rmdir(managed).catch(() => undefined);
    },
  };
}

/** Runs a program while this process goes on: the IdP and the upstream that it asks live here. */
export async function runToItsEnd(
  command: readonly string[],
  seconds: number,
  env: Record<string, string | undefined> = process.env,
): Promise<Finished> {
  const child = Bun.spawn([...command], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: seconds * 1000,
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { exitCode: child.exitCode, output: stdout + stderr };
}
