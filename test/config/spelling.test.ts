import { expect, test } from "bun:test";
import { nearest } from "../../src/config/spelling.ts";

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
