// The text of a configuration as YAML, before anybody asks what its settings mean: how deep it may go, what aliases may stand
// for, and that text made to take long does not.
import { describe, expect, test } from "bun:test";
import { parseSettings } from "../../src/config/document.ts";
import { said } from "./samples.ts";

/** All that is said is this, and soon: what grows with the square of these texts takes from half a minute to an hour. */
function expectSoon(text: string, expected: string[]): void {
  const started = performance.now();
  expect(said(text)).toEqual(expected);
  expect(performance.now() - started).toBeLessThan(5_000);
}

const tooDeep = " → is nested deeper than 64 levels";

describe("nesting", () => {
  test.each([
    ["mappings in braces, 4,000 deep", `a: ${"{a: ".repeat(4_000)}1${"}".repeat(4_000)}`],
    ["mappings in braces, 10,000 deep", `a: ${"{a: ".repeat(10_000)}1${"}".repeat(10_000)}`],
    ["lists in brackets that never close", "[".repeat(500_000)],
    ["lists on one line", "- ".repeat(500_000)],
    ["keys of keys", "? ".repeat(500_000)],
    [
      "mappings by indentation",
      Array.from({ length: 1_400 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
    ],
  ])("without end is refused by its name: %s", (_, text) => {
    expectSoon(text, [tooDeep]);
  });

  test("is refused where it is too deep", () => {
    const { line, column } = positionOfRefusal(`a: 1\nb: ${"[".repeat(100)}`);
    expect(line).toBe(2);
    expect(column).toBeGreaterThan(64);
    expect(column).toBeLessThan(70);
  });

  test("may be as deep as anybody needs, and not a level deeper", () => {
    const nested = (levels: number) => `a: ${"[".repeat(levels)}1${"]".repeat(levels)}`;
    expect(said(nested(63)).join()).not.toContain("nested deeper");
    expect(said(nested(64)).join()).toContain("a → is nested deeper than 64 levels");
    expect(said(nested(65)).join()).toContain("is nested deeper than 64 levels");
  });
});

describe("an alias", () => {
  test.each([
    ["as a list's entry", "a: &a [*a]"],
    ["by a merge key", "code: &c {<<: *c}"],
    ["in something it holds", "a: &a {b: &b {c: [*a]}}"],
  ])("that refers to itself %s is refused for that", (_, text) => {
    expect(said(text)).toEqual([
      " → YAML: this alias refers to itself: its anchor is on something that holds it",
    ]);
  });

  test("means the last thing before it that bears its name, also within the first", () => {
    const { value, positionOf } = parseSettings("a: &n {b: &n {x: 1}, c: *n}\nd: *n\n");
    expect(value).toEqual({ a: { b: { x: 1 }, c: { x: 1 } }, d: { x: 1 } });
    expect(positionOf(["d", "x"])).toEqual({ line: 1, column: 15 });
    expect(positionOf(["a", "c", "x"])).toEqual({ line: 1, column: 15 });
  });

  test("multiplies to a bound", () => {
    const lists = Array.from(
      { length: 9 },
      (_, index) =>
        `a${index}: &a${index} [${`${index === 0 ? "x" : `*a${index - 1}`},`.repeat(10)}]`,
    );
    expectSoon(lists.join("\n"), [" → YAML: the aliases in it multiply to too many values"]);
  });
});

test("a merge key that has nothing to merge is not blamed on aliases", () => {
  for (const text of ["a: {<<: 5}", "a: &a [1]\nb: {<<: *a}"]) {
    expect(said(text)).toEqual([
      " → YAML: a merge key (<<) takes a mapping, or a list of mappings",
    ]);
  }
});

test("keys given twice are named as many as anybody reads", () => {
  const { problems } = parseSettings(`a:\n${"- {b: 1, b: 1}\n".repeat(300)}`);
  expect(problems).toHaveLength(200);
  expect(problems.at(-1)).toMatchObject({ path: "a[199].b", line: 201 });
});

function positionOfRefusal(text: string): { line?: number; column?: number } {
  try {
    parseSettings(text);
  } catch (error) {
    return (error as { problems: { line: number; column: number }[] }).problems[0] ?? {};
  }
  return {};
}
