// README.md as the tests read it: its text and the rows of its tables.
import { join } from "node:path";

/** The folder of the repository. */
export const root = join(import.meta.dir, "..", "..");

export const readme = await Bun.file(join(root, "README.md")).text();

/** The rows of the table below this line: the texts of their cells. */
export function tableOf(head: string): string[][] {
  const [, table = ""] = readme.split(`\n${head}\n`);
  const [, ...rows] = table.slice(0, table.indexOf("\n\n")).split("\n");
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}
