// The executable that the tests of this folder run: the one CLAUDE_GATEWAY_EXECUTABLE names (CI hands over what it ships),
// else one built here from src/, once per test process.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, versionOf } from "../tools/build.ts";

const root = join(import.meta.dir, "..", "..");

let built: Promise<string> | undefined;

/** Path of the executable. Building takes a few seconds: ask in `beforeAll`, with a time limit to fit. */
export function executable(): Promise<string> {
  built ??= find();
  return built;
}

async function find(): Promise<string> {
  const given = process.env["CLAUDE_GATEWAY_EXECUTABLE"];
  if (given !== undefined && given !== "") return given;
  const directory = mkdtempSync(join(tmpdir(), "gateway-executable-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  return build("linux-x64", join(root, "src", "main.ts"), directory, await versionOf(root));
}
