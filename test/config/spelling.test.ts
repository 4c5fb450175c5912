import { expect, test } from "bun:test";
import { nearest, nearestOf } from "../../src/config/spelling.ts";

const known = ["issuer", "client_id", "client_secret", "max_connections", "key"];

const meant: [string, string | undefined][] = [
  ["isuer", "issuer"],
  ["Issuer", "issuer"],
  ["issure", "issuer"],
  ["kye", "key"],
  ["clientId", "client_id"],
  ["max_conection", "max_connections"],
  ["client_scret", "client_secret"],
  ["kay", "key"],
  ["cat", undefined],
  ["bogus", undefined],
  ["", undefined],
  ["issuer".repeat(20), undefined],
];
test.each(meant)("%p is taken for %p", (word, expected) => {
  expect(nearest(word, known)).toBe(expected);
});

test("a list asked often answers as when it is asked once", () => {
  const nearestHere = nearestOf(known);
  for (const [word, expected] of meant) expect(nearestHere(word)).toBe(expected);
});

test("a word may be told not to reach further than some letters, however long it is", () => {
  const nearestWithin = (strayMax: number, word: string) => nearestOf(known, strayMax)(word);
  expect(nearest("max_conectionen", known)).toBe("max_connections");
  expect(nearestWithin(1, "max_conectionen")).toBe("max_connections");
  expect(nearestWithin(0, "max_conectionen")).toBeUndefined();
  expect(nearestWithin(1, "max_conections")).toBe("max_connections");
  expect(nearestWithin(0, "max_conections")).toBeUndefined();
  expect(nearestWithin(0, "max_connectoins")).toBe("max_connections");
});
