// `claude-gateway demo`, from its first line to an empty temporary directory.
import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const entry = join(import.meta.dir, "..", "..", "src", "main.ts");

test("the demo signs Ada in, streams an answer, prints a curl line that works, and leaves nothing behind", async () => {
  const temporary = await mkdtemp(join(tmpdir(), "demo-test-"));
  const { ANTHROPIC_API_KEY: _, ...env } = process.env;
  const demo = Bun.spawn([process.execPath, entry, "demo"], {
    env: { ...env, TMPDIR: temporary },
    stdout: "pipe",
    stderr: "inherit",
  });
  let output = "";
  const reading = (async () => {
    for await (const chunk of demo.stdout.pipeThrough(new TextDecoderStream())) output += chunk;
  })();
  try {
    while (!output.includes("Ctrl-C") && demo.exitCode === null) await Bun.sleep(50);
    expect(output).toContain("everything between you and me is the real gateway");

    const curl = /^ {2}(curl -N [\s\S]*?)\n\n/m.exec(output)?.[1] ?? "";
    const pasted = Bun.spawn(["sh", "-c", curl], { stdout: "pipe", stderr: "ignore" });
    expect(await pasted.stdout.text()).toContain("event: message_stop");
  } finally {
    demo.kill("SIGTERM");
    await reading;
  }
  expect(await demo.exited).toBe(0);
  expect(await readdir(temporary)).toEqual([]);
  await rm(temporary, { recursive: true });
}, 120_000);
