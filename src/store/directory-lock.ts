// One process per directory: a lock file that names its holder. A holder that has died is recognised as dead, also when its
// process id went to another process. Knows nothing of databases.
//
// Bound of what it can see: processes are compared by id and start time within one kernel and pid namespace. Two
// containers that share the directory do not see each other.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type DirectoryLock = { release(): void };

const fileName = "lock";
/** A stale lock is taken over at most this often before giving up: more means that others are racing for it. */
const takeoversMax = 3;

/**
 * Creates the directory (mode 0700) if need be and locks it for this process.
 * @throws Error that names the holder when another live process, or this one, has the lock.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, fileName);
  const own = identityOf(process.pid) ?? String(process.pid);
  for (let takeovers = 0; takeovers <= takeoversMax; takeovers += 1) {
    if (createExclusively(path, own)) return { release: () => releaseIfOwn(path, own) };
    const holder = readIfThere(path);
    if (holder === undefined) continue;
    const pid = Number.parseInt(holder, 10);
    if (holder === own || identityOf(pid) === holder) throw new Error(`in use by process ${pid}`);
    removeStale(path, holder);
  }
  throw new Error("several processes are trying to use it at once");
}

/** The file appears with its content at once (a link to a finished one), so that nobody reads half a name. */
function createExclusively(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Moves the file aside first: whoever took over a moment earlier would be looked at again, and gets its lock back. */
function removeStale(path: string, holder: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const moved = readIfThere(aside);
  if (moved !== undefined && moved !== holder) createExclusively(path, moved);
  rmSync(aside, { force: true });
}

function releaseIfOwn(path: string, own: string): void {
  if (readIfThere(path) === own) rmSync(path, { force: true });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * What tells a process from every other one before and after it: id, start time in ticks since boot, and the boot (proc(5)).
 * Where there is no /proc, the id of a process that is alive. Undefined when there is no such process.
 */
export function identityOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const boot = readIfThere("/proc/sys/kernel/random/boot_id");
  if (boot === undefined) return isAlive(pid) ? String(pid) : undefined;
  const stat = readIfThere(`/proc/${pid}/stat`);
  // Field 2, the command, may hold blanks and parentheses; state is field 3, start time field 22.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", startTicks] = [fields?.[0], fields?.[19]];
  // It has ended, and only waits for its parent to hear of it.
  if (startTicks === undefined || state === "Z" || state === "X") return undefined;
  return `${pid} ${startTicks} ${boot.trim()}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, so it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
