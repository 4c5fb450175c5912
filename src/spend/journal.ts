// The journal of spend: a directory (store.journal) in which a ledger keeps what it settled while the database does not take it,
// so that it survives the process. One file for each ledger that has something in it, `<writer>.jsonl`, one line of JSON for
// each number (journal-lines.ts). What is written when is ledger.ts's; what becomes of files of earlier processes is
// journal-replay.ts's.
//
// The files hold no secrets. They do hold who spent how much: the `sub` of people, names of groups, ids of sessions. The
// directory is made for its owner only (0700), the files as well (0600).
//
// One live process has the directory (directory-lock.ts says how far that is seen). Lines are on the disk (fdatasync) when an
// append resolves. A process that is killed, or a disk that is full, may leave part of a last line, which counts as not written.
import { readdirSync, rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../log.ts";
import { type DirectoryLock, lockDirectory } from "../store/directory-lock.ts";
import type { Line } from "./backlog.ts";
import { lineText } from "./journal-lines.ts";

export type Journal = {
  /** The file of this process's ledger. It exists while there is something in it. */
  fileOf(writer: string): JournalFile;
  /** Paths of files that earlier processes left. */
  readonly earlier: readonly string[];
  /** Lets another process have the directory. */
  release(): void;
};

/** Operations are carried out one after another, in the order of the calls. They reject with what the file system says. */
export type JournalFile = {
  append(lines: readonly Line[]): Promise<void>;
  /** Puts these lines in the place of all others, at once or not at all. */
  replace(lines: readonly Line[]): Promise<void>;
  remove(): Promise<void>;
  /** Ends the use of the file, which stays. */
  close(): Promise<void>;
  /** Size of the file. */
  readonly bytes: number;
};

const suffix = ".jsonl";
const draftSuffix = `${suffix}.new`;
const mode = 0o600;

/**
 * Takes the directory for this process, and creates it if need be.
 * @throws Error naming store.journal: another process has it, or it cannot be written
 */
export function openJournal(directory: string): Journal {
  let lock: DirectoryLock | undefined;
  const release = () => lock?.release();
  try {
    lock = lockDirectory(directory);
    const names = readdirSync(directory);
    // A process ended while it wrote a file anew; the old one is still there.
    for (const name of names) if (name.endsWith(draftSuffix)) rmSync(join(directory, name));
    return {
      fileOf: (writer) => createFile(directory, writer),
      earlier: names.filter((name) => name.endsWith(suffix)).map((name) => join(directory, name)),
      release,
    };
  } catch (error) {
    release();
    throw new Error(
      `store.journal: cannot use ${directory}: ${messageOf(error)}. Each process needs a directory of its own that it can write`,
      { cause: error },
    );
  }
}

function createFile(directory: string, writer: string): JournalFile {
  const path = join(directory, `${writer}${suffix}`);
  const draftPath = join(directory, `${writer}${draftSuffix}`);
  let handle: FileHandle | undefined;
  let bytes = 0;
  let last: Promise<void> = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  async function release(): Promise<void> {
    const used = handle;
    handle = undefined;
    await used?.close();
  }

  return {
    append: (lines) =>
      inTurn(async () => {
        const isNew = handle === undefined;
        handle ??= await open(path, "a", mode);
        for (const line of lines) bytes += await write(handle, writer, line);
        await handle.datasync();
        if (isNew) await syncDirectory(directory);
      }),

    replace: (lines) =>
      inTurn(async () => {
        await release();
        const draft = await open(draftPath, "w", mode);
        try {
          bytes = 0;
          for (const line of lines) bytes += await write(draft, writer, line);
          await draft.datasync();
        } catch (error) {
          // On a disk that is full it would take the room that the next try needs.
          await rm(draftPath, { force: true });
          throw error;
        } finally {
          await draft.close();
        }
        await rename(draftPath, path);
        await syncDirectory(directory);
      }),

    remove: () =>
      inTurn(async () => {
        await release();
        await rm(path, { force: true });
        bytes = 0;
      }),

    close: () => inTurn(release),

    get bytes() {
      return bytes;
    },
  };
}

/** Lines are spelled out one by one, so that many of them do not hold up everything else. */
async function write(handle: FileHandle, writer: string, line: Line): Promise<number> {
  const text = Buffer.from(`${lineText(writer, line)}\n`);
  await handle.appendFile(text);
  return text.length;
}

/** A new name in a directory is on the disk only when the directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
