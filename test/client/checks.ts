// What a journey finds out: one named line for each thing that held or did not, printed as it is found, and their number.

/** One thing that somebody would notice. `detail` is printed, its end at least, when it did not hold. */
export type Check = (name: string, passed: boolean, detail: string) => void;

const detailCharactersMax = 4000;

/** @param print where a line goes. */
export function createChecklist(print: (line: string) => void) {
  const counts = { passed: 0, failed: 0 };
  const check: Check = (name, passed, detail) => {
    counts[passed ? "passed" : "failed"] += 1;
    print(passed ? `ok ${name}` : `FAIL ${name}\n${detail.slice(-detailCharactersMax)}`);
  };
  return { check, counts };
}

/** Checks that something holds of all of them, and that there are any. The first of the others is printed. */
export function checkAll<Item>(
  check: Check,
  name: string,
  items: readonly Item[],
  holds: (item: Item) => boolean,
): void {
  const others = items.filter((item) => !holds(item));
  check(
    name,
    items.length > 0 && others.length === 0,
    JSON.stringify(others[0] ?? "there is none", null, 2),
  );
}
