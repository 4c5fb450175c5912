// What the operator reads about spend that is not recorded. What leads to each line is in ledger.test.ts.
import { describe, expect, test } from "bun:test";
import { cent } from "../../src/spend/money.ts";
import { createRecordReport, isCollision } from "../../src/spend/record-report.ts";

const waiting = { charged: 5n * cent, since: 0 };
const refusal = (code: string) => Object.assign(new Error("refused"), { code });

function reported() {
  const lines: string[] = [];
  let now = 1_000_000;
  const write = (message: string) => void lines.push(message);
  const report = createRecordReport({ info: write, warn: write, error: write }, () => now);
  return { lines, report, pass: (ms: number) => (now += ms) };
}

describe("a report", () => {
  test.each([
    ["25006", /must lead to the server that takes writes$/],
    ["42501", /Grant the gateway's role .* on spend, .*principal_groups$/],
    ["53100", /The database server's disk is full$/],
    ["ECONNREFUSED", /wait in memory$/],
  ])("of %s ends with what the operator can do", (code, end) => {
    const { lines, report } = reported();
    report.failed(refusal(code), waiting, "in memory");
    expect(lines).toEqual([expect.stringMatching(end)]);
    expect(lines[0]).toStartWith("spend record failed: refused. 5 cents settled since 1970-01-01");
  });

  test("comes again after thirty seconds, not before, and also when the clock was set back", () => {
    const { lines, report, pass } = reported();
    for (const ms of [0, 29_999, 1, 29_999, -70_000]) {
      pass(ms);
      report.failed(refusal("x"), waiting, "in memory");
    }
    expect(lines).toHaveLength(3);
  });

  test("says that it is over once, and only when somebody was told that it began", () => {
    const { lines, report } = reported();
    report.written();
    expect(lines).toEqual([]);
    report.failed(refusal("x"), waiting, "in memory");
    report.written();
    report.written();
    expect(lines.slice(1)).toEqual(["spend is recorded again"]);
    report.failed(refusal("x"), waiting, "in memory");
    expect(lines).toHaveLength(3);
  });

  test("adds up what is lost, and leaves none of it out in the end", () => {
    const { lines, report, pass } = reported();
    for (let n = 0; n < 5; n += 1) report.lost(cent, "for lack of room");
    pass(30_000);
    report.lost(cent, "for lack of room");
    report.lost(cent, "for lack of room");
    report.close();
    expect(lines).toEqual([
      "spend of 1 cents is lost: for lack of room",
      "spend of 5 cents is lost: for lack of room",
      "spend of 1 cents is lost: for lack of room",
    ]);
  });
});

test("a deadlock and a failed serialization are collisions, other refusals and broken connections are not", () => {
  expect(
    ["40P01", "40001", "25006", "ECONNRESET"].map((code) => isCollision(refusal(code))),
  ).toEqual([true, true, false, false]);
  expect(isCollision(new Error("hung up"))).toBe(false);
  expect(isCollision(undefined)).toBe(false);
});
