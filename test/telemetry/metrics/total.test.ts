// Counters that are cheap to add to: that they count, and stay bounded.
import { expect, test } from "bun:test";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { createTextReader } from "../../../src/telemetry/metrics/text-reader.ts";
import { createTotal, seriesMax } from "../../../src/telemetry/metrics/total.ts";
import { createHandClock } from "../hand-clock.ts";
import { readExposition } from "./exposition.ts";

function scene(isWhole = true) {
  const { reader, text } = createTextReader({ after: createHandClock().after, now: () => 0 });
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const labels = ["b", "c"] as const;
  const total = createTotal(meter, { name: "a", labels, unit: "1", description: "d", isWhole });
  return { total, read: async () => readExposition(await text()) };
}

test("what is added comes out as the sum since the start, however often it is read", async () => {
  const { total, read } = scene();
  total.add(2, "x", 200);
  total.add(3, "x", 200);
  expect((await read()).value("a_total", { b: "x", c: "200" })).toBe(5);
  expect((await read()).value("a_total", { b: "x", c: "200" })).toBe(5);
  total.add(1, "x", 200);
  total.add(7, "y", 200);
  const { value } = await read();
  expect(value("a_total", { b: "x", c: "200" })).toBe(6);
  expect(value("a_total", { b: "y", c: "200" })).toBe(7);
});

test("fractions are kept where amounts are not whole", async () => {
  const { total, read } = scene(false);
  total.add(0.5, "x", "y");
  total.add(0.25, "x", "y");
  expect((await read()).value("a_total", { b: "x", c: "y" })).toBe(0.75);
});

test("a label without a value is left out", async () => {
  const { total, read } = scene();
  total.add(1, "x", undefined);
  expect((await read()).value("a_total", { b: "x" })).toBe(1);
});

test("series one too many are one together, and nothing that was added is lost", async () => {
  const { total, read } = scene();
  for (let index = 0; index < seriesMax + 500; index++) total.add(1, `x${index}`, "y");
  total.add(1, "x0", "y");
  const { value, series } = await read();
  expect(series("a_total")).toHaveLength(seriesMax + 1);
  expect(value("a_total", { b: "other", c: "other" })).toBe(500);
  expect(value("a_total", { b: "x0", c: "y" })).toBe(2);
});
