// A home directory with nothing in it: the clouds' default chains end in files and tools that a developer may have signed in with.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One for all tests of this process. The runtime may keep a cache in it. */
export const emptyHome = mkdtempSync(join(tmpdir(), "gateway-home-"));
