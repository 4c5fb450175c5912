// Which processes hold a directory: one that lives does, one that has ended does not, whether or not its parent has heard of it.
import { expect, test } from "bun:test";
import { identityOf } from "../../src/store/directory-lock.ts";

test("a process that lives has an identity, the same each time", () => {
  expect(identityOf(process.pid)).toBeString();
  expect(identityOf(process.pid)).toBe(identityOf(process.pid));
  expect(identityOf(0)).toBeUndefined();
});

test.skipIf(process.platform !== "linux")(
  "one that has ended and was not waited for has none",
  async () => {
    // The shell becomes `sleep`, which does not wait for the child that it was left with.
    const parent = Bun.spawn(["sh", "-c", "sleep 0.1 & echo $!; exec sleep 10"], {
      stdout: "pipe",
    });
    try {
      const { value } = await parent.stdout.getReader().read();
      const child = Number(new TextDecoder().decode(value));
      expect(child).toBeGreaterThan(0);
      const state = async () => (await Bun.file(`/proc/${child}/stat`).text()).split(") ")[1]?.[0];
      while ((await state()) !== "Z") await Bun.sleep(5);
      expect(identityOf(child)).toBeUndefined();
    } finally {
      parent.kill();
      await parent.exited;
    }
  },
);
