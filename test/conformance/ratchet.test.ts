// The rules of the ratchet on hand-made results, and what the two committed lists must look like.
import { describe, expect, test } from "bun:test";
import differences from "../conformance-differences.json";
import pending from "../conformance-pending.json";
import { areas } from "./areas.ts";
import { type CaseResult, judge } from "./ratchet.ts";

const none = { areas: [], differences: {}, pending: {} };
const pass = (area: string, name: string): CaseResult => ({ area, name, ok: true });
const fail = (area: string, name: string): CaseResult => ({
  area,
  name,
  ok: false,
  error: "expected 200 got 404",
});

describe("the conformance ratchet", () => {
  test("counts a passing case and reports a failing one with its error", () => {
    const verdict = judge([pass("boot", "a"), fail("boot", "b")], none);
    expect(verdict).toEqual({
      passed: 1,
      pending: 0,
      differ: 0,
      failures: ["boot/b: expected 200 got 404"],
    });
  });

  test("lets a listed case fail", () => {
    const verdict = judge([fail("boot", "a"), fail("boot", "b")], {
      ...none,
      differences: { "boot/a": "safer" },
      pending: { "boot/b": "needs issue 4" },
    });
    expect(verdict).toEqual({ passed: 0, pending: 1, differ: 1, failures: [] });
  });

  test("does not let a listed case pass, so that a list cannot outlive its reason", () => {
    const verdict = judge([pass("boot", "a"), pass("boot", "b")], {
      ...none,
      differences: { "boot/a": "safer" },
      pending: { "boot/b": "needs issue 4" },
    });
    expect(verdict.failures).toEqual([
      "boot/a: now passes: take it off the list of differences",
      "boot/b: now passes: take it off the list of pending",
    ]);
  });

  test("refuses a listed case that the suite does not have", () => {
    const expected = {
      areas: ["boot"],
      differences: {},
      pending: { "boot/gone": "why", "jwt/else": "why" },
    };
    expect(judge([pass("boot", "a")], expected).failures).toEqual([
      "boot/gone: listed, but the suite has no such case",
    ]);
  });

  test("expects nothing of the cases behind a setup that failed, but notices when the area starts", () => {
    const expected = {
      areas: ["audit"],
      differences: {},
      pending: { "audit/(setup)": "needs issue 4" },
    };
    const listedBehind = {
      ...expected,
      pending: { ...expected.pending, "audit/fields": "needs issue 4" },
    };
    expect(judge([fail("audit", "(setup)")], listedBehind)).toMatchObject({
      pending: 1,
      failures: [],
    });
    expect(judge([pass("audit", "fields")], expected).failures).toEqual([
      "audit/(setup): the area now starts: take it off the list",
    ]);
  });

  test("fails an area that reported nothing at all", () => {
    expect(judge([], { ...none, areas: ["boot"] }).failures).toEqual([
      "boot: the run reported no case",
    ]);
  });

  test("refuses a case that is in both lists", () => {
    const expected = {
      areas: [],
      differences: { "boot/a": "safer" },
      pending: { "boot/a": "needs issue 4" },
    };
    expect(judge([fail("boot", "a")], expected).failures).toEqual([
      "boot/a: listed as a difference and as pending: choose one",
    ]);
  });
});

describe("the committed lists", () => {
  test("name cases of areas that are run, each with a reason, pending ones with the issue that brings them", () => {
    for (const [name, reason] of Object.entries({ ...differences, ...pending })) {
      expect(areas).toContain(name.slice(0, name.indexOf("/")));
      expect(reason).toMatch(/\S/);
    }
    for (const reason of Object.values(pending)) expect(reason).toMatch(/^needs issue [3-7]: \S/);
  });
});
