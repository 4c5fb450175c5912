// One process per directory: a file in it that the process holds a lock on, flock(2), which ends with the process, however that
// ends. Knows nothing of databases.
//
// The lock is the file's and not a name's, so that processes see each other also across pid namespaces: two containers with one
// volume, and over NFS two machines (Linux turns it into a lock of the server there). A file system that has no locks is refused.
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

export type DirectoryLock = { release(): void };

const fileName = "lock";
/** Opened for reading and writing, and made if need be; what is in it stays until the lock is ours. */
const openFlags = "a+";
/** `LOCK_EX | LOCK_NB` of <sys/file.h>, the same numbers on Linux and macOS. */
const exclusivelyWithoutWaiting = 2 | 4;

/**
 * Creates the directory (mode 0700) if need be and locks it for this process.
 * @throws Error that names the holder when another live process, or this one, has the lock.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, fileName);
  const file = openSync(path, openFlags, 0o600);
  try {
    if (!flock(file)) {
      const holder = readFileSync(path, "utf8").trim();
      throw new Error(
        holder === "" ? "it cannot be locked, or is in use" : `in use by process ${holder}`,
      );
    }
    sign(file);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  let isHeld = true;
  return {
    release() {
      // The file stays: whoever removed it would take it from under a process that has opened it and not locked it yet.
      if (isHeld) closeSync(file);
      isHeld = false;
    },
  };
}

/** Writes down whose it is. On a disk that is full nobody can, and a gateway that starts there may be the one to empty it. */
function sign(file: number): void {
  try {
    ftruncateSync(file);
    writeSync(file, `${process.pid} on ${hostname()}\n`);
  } catch {
    // Whoever is refused the lock is not told who has it.
  }
}

/** Resolved when it is first needed: most gateways lock nothing. */
let locking: ((file: number) => boolean) | undefined;

function flock(file: number): boolean {
  if (locking === undefined) {
    const library = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
    const { symbols } = dlopen(library, {
      flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    });
    locking = (opened) => symbols.flock(opened, exclusivelyWithoutWaiting) === 0;
  }
  return locking(file);
}
