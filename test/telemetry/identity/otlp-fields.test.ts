// The table against the official definitions: nothing that leads to attributes is left out, and nothing has another number.
import { expect, test } from "bun:test";
import { signals } from "../../../src/config/telemetry-schema.ts";
import {
  definedName,
  foldedName,
  type Level,
  requests,
} from "../../../src/telemetry/identity/otlp-fields.ts";
import { messageIn, type OfficialType, officialRequest } from "./official-otlp.ts";

/** Fields on the way to attributes, by number: a message of such, or "attributes". */
type Tree = { [numberAndName: string]: Tree | "attributes" };

test.each(signals)(
  "every field through which an export of %s has attributes is known",
  (signal) => {
    expect(treeOf(requests[signal])).toEqual(officialTreeOf(officialRequest(signal)));
  },
);

test.each(signals)("every field that was taken out of the messages of %s is refused", (signal) => {
  expect(withdrawnFrom(requests[signal])).toEqual(officiallyWithdrawnFrom(officialRequest(signal)));
});

test("a field is found by both of its names, and told when neither is quite it", () => {
  const { byName, byFoldedName } = requests.logs;
  expect(byName.get("resourceLogs")).toBeDefined();
  expect(byName.get("resource_logs")).toBe(byName.get("resourceLogs"));
  expect(definedName("exponentialHistogram")).toBe("exponential_histogram");
  for (const name of ["ResourceLogs", "RESOURCE_LOGS", "resourcelogs", "re\u017fourceLogs"])
    expect([byName.has(name), byFoldedName.has(foldedName(name))]).toEqual([false, true]);
});

function treeOf(level: Level): Tree {
  const tree: Tree = {};
  for (const { number, name, holds } of level.byNumber.values())
    if (holds !== "withdrawn")
      tree[`${number} ${name}`] = holds === "attributes" ? holds : treeOf(holds);
  return tree;
}

/** Values are content: what nests in an AnyValue is not looked at. */
function officialTreeOf(type: OfficialType): Tree {
  const tree: Tree = {};
  for (const field of type.fieldsArray) {
    const held = messageIn(field);
    if (held === undefined || held.name === "AnyValue") continue;
    const below = held.name === "KeyValue" ? "attributes" : officialTreeOf(held);
    if (below === "attributes" || Object.keys(below).length > 0)
      tree[`${field.id} ${field.name}`] = below;
  }
  return tree;
}

/** Each message by the path to it, with the numbers that are refused there. */
function withdrawnFrom(level: Level, path = ""): Record<string, number[]> {
  const fields = [...level.byNumber.values()];
  const numbers = fields.filter(({ holds }) => holds === "withdrawn").map(({ number }) => number);
  const below = fields.map(({ name, holds }) =>
    typeof holds === "object" ? withdrawnFrom(holds, `${path}/${name}`) : {},
  );
  return Object.assign(
    {},
    numbers.length > 0 && { [path]: numbers.toSorted((a, b) => a - b) },
    ...below,
  );
}

function officiallyWithdrawnFrom(type: OfficialType, path = ""): Record<string, number[]> {
  const numbers = (type.reserved ?? [])
    .filter((range) => typeof range !== "string")
    .flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
  // A log record's name and a status's old code: never attributes.
  const matters = numbers.length > 0 && type.name !== "LogRecord" && type.name !== "Status";
  const below = type.fieldsArray.map((field) => {
    const held = messageIn(field);
    const isContent = held === undefined || held.name === "AnyValue" || held.name === "KeyValue";
    return isContent ? {} : officiallyWithdrawnFrom(held, `${path}/${field.name}`);
  });
  return Object.assign({}, matters && { [path]: numbers.toSorted((a, b) => a - b) }, ...below);
}
