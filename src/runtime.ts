// The runtime under the gateway, settled before anything is opened: variables that would give the process to somebody else are
// refused, those that would make it say more than the log does are dropped, its cap on requests is raised, and its memory is
// closed to core dumps and to other processes. What the gateway itself reads of its environment is in main.ts.
//
// Nothing here holds against whoever writes the environment: BUN_OPTIONS has run its code, LD_PRELOAD its own, before the first
// line of ours, and BUN_BE_BUN=1 makes the executable a plain `bun` that never comes here. It is against what was left behind by
// somebody who was looking for a mistake.
import { log, messageOf } from "./log.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Bun's variable for its cap on outbound requests at once, and the cap we ask for: its own, 256, is a few teams' worth. */
export const requestCapVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";
export const requestCapDefault = 16_384;

/** Variables that the gateway does not start with, what they do, and with which values: any but none, unless it says which. */
const refused: Readonly<Record<string, { readonly does: string; readonly harmful?: RegExp }>> = {
  BUN_OPTIONS: { does: "makes the runtime load other code or open a debugger" },
  BUN_INSPECT: { does: "opens a debugger, whose user is the gateway" },
  BUN_INSPECT_CONNECT_TO: { does: "hands the process to a debugger" },
  BUN_INSPECT_PRELOAD: { does: "makes the runtime load other code" },
  NODE_TLS_REJECT_UNAUTHORIZED: {
    does: "switches the check of certificates off; NODE_EXTRA_CA_CERTS or oidc.ca_cert_pem make a certificate authority known",
    harmful: /^0$/,
  },
};

/**
 * Variables that are taken away: with them the runtime prints every request with its headers and body, libraries their own with
 * credentials in it (@azure/identity does for either of two), and crashes are reported to the runtime's makers.
 */
const dropped: readonly string[] = [
  "BUN_CONFIG_VERBOSE_FETCH",
  "DEBUG",
  "NODE_DEBUG",
  "AZURE_LOG_LEVEL",
  "GOOGLE_SDK_NODE_LOGGING",
  "BUN_CRASH_REPORT_URL",
];

/** The values that are set, whatever they were. */
const fixed: Readonly<Record<string, string>> = { BUN_ENABLE_CRASH_REPORTING: "0" };

/**
 * To be called before anything is opened.
 * @throws Error when the gateway does not start with its environment, with the variable's name and what it does.
 */
export async function settleRuntime(): Promise<void> {
  startOverWith(runtimeEnvironment(process.env));
  // execve undoes it.
  await closeMemory();
}

/**
 * The environment that the process should have been started with, from the one it was. Of its own result it makes the same.
 * @throws Error as `settleRuntime`.
 */
export function runtimeEnvironment(env: Environment): Record<string, string> {
  for (const [name, { does, harmful = /./ }] of Object.entries(refused)) {
    if (harmful.test(env[name] ?? ""))
      throw new Error(`${name} is set in the environment, which ${does}: unset it`);
  }
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !dropped.includes(entry[0]),
  );
  return {
    ...Object.fromEntries(kept),
    ...fixed,
    [requestCapVariable]: requestCapOf(env[requestCapVariable]),
  };
}

/**
 * Starts the process over unless this is its environment: the runtime reads its variables once, when it begins, and libraries
 * when they are loaded. The same pid, arguments and descriptors (execve(2)).
 */
function startOverWith(env: Record<string, string>): void {
  if (Bun.deepEquals(env, { ...process.env })) return;
  const script = Bun.main.startsWith("/$bunfs/") ? [] : [...process.execArgv, Bun.main];
  const argv = [process.execPath, ...script, ...process.argv.slice(2)];
  if (process.execve === undefined)
    throw new Error(`set ${requestCapVariable} (1 to 65535) before starting`);
  process.execve(process.execPath, argv, env);
}

/** prctl(2), as in <linux/prctl.h>. */
const setDumpable = 4;

/**
 * No core dump of this process, whatever the machine's limits and its handler of core dumps say, and no look into its memory,
 * its environment or its descriptors for other processes of the same user (PR_SET_DUMPABLE, ptrace(2)); root still can. Where
 * it cannot be done the log says so.
 */
async function closeMemory(): Promise<void> {
  if (process.platform !== "linux") return;
  try {
    const { dlopen } = await import("bun:ffi");
    const libc = dlopen("libc.so.6", {
      prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    });
    const failed = libc.symbols.prctl(setDumpable, 0n, 0n, 0n, 0n) !== 0;
    libc.close();
    if (failed) throw new Error("prctl failed");
  } catch (error) {
    log.warn(
      `core dumps of this process are not switched off (${messageOf(error)}): its memory holds credentials`,
    );
  }
}

function requestCapOf(asked: string | undefined): string {
  const cap = Number(asked);
  return asked !== undefined && Number.isInteger(cap) && cap >= 1 && cap <= 65_535
    ? asked
    : String(requestCapDefault);
}
