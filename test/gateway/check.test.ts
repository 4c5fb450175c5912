// `claude-gateway check`, and the start, with a configuration that somebody else wrote: what it warns of is readable, bounded, and
// nothing that the terminal of whoever runs it obeys.
import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minimal } from "../config/samples.ts";
import { runCommand } from "../support/gateway.ts";

const directory = await mkdtemp(join(tmpdir(), "gateway-check-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

async function written(policy: object): Promise<string> {
  const path = join(directory, `${crypto.randomUUID()}.yaml`);
  // A start goes as far as the warnings, and fails on what it reads next.
  const listen = {
    ...minimal()["listen"],
    tls: { cert: "/nonexistent.pem", key: "/nonexistent.pem" },
  };
  await writeFile(path, JSON.stringify({ ...minimal(), listen, managed: { policies: [policy] } }));
  return path;
}

const unknownKeys = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, index) => [`qqqqzzzz${index}`, 1]),
);
const escaping = {
  code: {
    sandbox: { network: { allowedDomains: ["\u001b[2J\u001b]0;pwn\u0007\u009b1m\u202e\nx"] } },
  },
  desktop: {},
};

test("check prints no character that a terminal obeys, nor a second line for one warning", async () => {
  const { stderr, exitCode } = await runCommand(["check", "--config", await written(escaping)]);
  expect(exitCode).toBe(0);
  expect(stderr).not.toMatch(/[^\P{C}\n]/u);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.filter((line) => !line.startsWith("warning: "))).toEqual([]);
  expect(stderr).toContain("\\u{1b}[2J\\u{1b}]0;pwn\\u{7}\\u{9b}1m\\u{202e} x");
});

test("nor does the boot log", async () => {
  const { stderr, exitCode } = await runCommand(["--config", await written(escaping)]);
  expect(exitCode).toBe(1);
  expect(stderr).not.toMatch(/[^\P{C}\n]/u);
  expect(stderr).toContain("\\u{1b}[2J\\u{1b}]0;pwn\\u{7}\\u{9b}1m\\u{202e} x");
});

test("check prints the first hundred warnings, and how many more there are", async () => {
  const path = await written({ code: { enforceAvailableModels: true }, desktop: unknownKeys });
  const { stderr, exitCode } = await runCommand(["check", "--config", path]);
  expect(exitCode).toBe(0);
  const lines = stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(101);
  const [, left] = /^warning: … and (\d+) more$/.exec(lines.at(-1) ?? "") ?? [];
  expect(Number(left)).toBeGreaterThanOrEqual(900);
});

test("so does the boot log", async () => {
  const path = await written({ code: { enforceAvailableModels: true }, desktop: unknownKeys });
  const { stderr } = await runCommand(["--config", path]);
  expect(stderr.split("\n").filter((line) => line.includes("qqqqzzzz")).length).toBeLessThan(101);
  expect(stderr).toMatch(/ warn … and 9\d\d more\n/);
});

test("a problem is one line without such characters, too, whatever the file is called", async () => {
  const path = join(directory, "\u001b[2Jx.yaml");
  await writeFile(path, '"a\\u009bb\\n": 1\n');
  const { stderr, exitCode } = await runCommand(["check", "--config", path]);
  expect(exitCode).toBe(1);
  expect(stderr).not.toMatch(/[^\P{C}\n]/u);
  const missing = await runCommand(["check", "--config", "/nonexistent/\u001b[2J\nx"]);
  expect(missing.stderr).not.toMatch(/[^\P{C}\n]/u);
  expect(missing.stderr.trimEnd().split("\n")).toHaveLength(1);
});
