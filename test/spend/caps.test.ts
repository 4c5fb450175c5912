// Which cap on a person's own spend applies: the person's own before the groups', the groups' before the organisation's.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Cap, effectiveCap, type GroupLimitMode, scopeTypes } from "../../src/spend/caps.ts";
import { periodNames } from "../../src/spend/periods.ts";

const ada = { sub: "ada", groups: ["eng", "ops"] };

function capOf(over: Partial<Cap>): Cap {
  return {
    id: "spl_1",
    scopeType: "organization",
    scopeId: "",
    period: "monthly",
    amount: 100n,
    pool: null,
    ...over,
  };
}
const groupCap = (scopeId: string, amount: bigint | null, id = `spl_${scopeId}`) =>
  capOf({ id, scopeType: "rbac_group", scopeId, amount });
const userCap = (amount: bigint | null, scopeId = "ada") =>
  capOf({ id: `spl_${scopeId}`, scopeType: "user", scopeId, amount });

const chosen = (caps: readonly Cap[], mode: GroupLimitMode = "min") =>
  effectiveCap(caps, ada, "monthly", mode);

describe("of several caps applies", () => {
  const [organization, group, user] = [capOf({ amount: 1n }), groupCap("eng", 2n), userCap(3n)];

  test("the person's own, be it the highest, and wherever it stands in the list", () => {
    expect(chosen([organization, group, user])).toBe(user);
    expect(chosen([user, group, organization])).toBe(user);
  });

  test("else the group's", () => {
    expect(chosen([organization, group])).toBe(group);
    expect(chosen([group, organization], "max")).toBe(group);
  });

  test("else the organisation's", () => {
    expect(chosen([organization])).toBe(organization);
  });

  test("none where there is none", () => {
    expect(chosen([])).toBe(undefined);
  });
});

describe("no limit is a cap as well:", () => {
  test("a person without limit is under neither the group's nor the organisation's", () => {
    const user = userCap(null);
    expect(chosen([capOf({}), groupCap("eng", 1n), user])).toBe(user);
  });

  test("a group without limit is not under the organisation's", () => {
    const group = groupCap("eng", null);
    expect(chosen([capOf({}), group])).toBe(group);
  });

  test("it is the highest of all", () => {
    const caps = [groupCap("eng", null), groupCap("ops", 10n ** 18n)];
    for (const read of [caps, caps.toReversed()]) {
      expect(chosen(read, "min")).toBe(caps[1]);
      expect(chosen(read, "max")).toBe(caps[0]);
    }
  });
});

describe("of several groups' caps applies", () => {
  const caps = [groupCap("eng", 5n), groupCap("ops", 40n)];

  test.each<[GroupLimitMode, bigint]>([
    ["min", 5n],
    ["max", 40n],
  ])("%s: the one of %d cents, compared as numbers", (mode, amount) => {
    expect(chosen(caps, mode)?.amount).toBe(amount);
    expect(chosen(caps.toReversed(), mode)?.amount).toBe(amount);
  });

  test.each<GroupLimitMode>(["min", "max"])(
    "%s: of equal ones that with the first id, so that every replica names the same",
    (mode) => {
      for (const amount of [7n, 0n, null]) {
        const [first, second] = [
          groupCap("ops", amount, "spl_a"),
          groupCap("eng", amount, "spl_b"),
        ];
        expect(chosen([first, second], mode)).toBe(first);
        expect(chosen([second, first], mode)).toBe(first);
      }
    },
  );
});

describe("no cap is", () => {
  test("another person's or another group's", () => {
    expect(chosen([userCap(1n, "bob"), groupCap("sales", 1n)])).toBe(undefined);
  });

  test("that of a person who is called like the group, or the other way round", () => {
    expect(chosen([groupCap("ada", 1n), userCap(1n, "eng")])).toBe(undefined);
  });

  test("that of another spelling of the group or the person", () => {
    expect(chosen([userCap(1n, "Ada"), groupCap("ENG", 1n)])).toBe(undefined);
  });

  test("that of a session, which is not the person's own", () => {
    expect(chosen([capOf({ scopeType: "session" })])).toBe(undefined);
  });

  test.each(["daily", "weekly"] as const)("one for another period: %s", (period) => {
    const others = [
      capOf({ period }),
      { ...groupCap("eng", 1n), period },
      { ...userCap(1n), period },
    ];
    expect(chosen(others)).toBe(undefined);
    const organization = capOf({});
    expect(chosen([...others, organization])).toBe(organization);
  });
});

test("the order in which caps are read decides nothing", () => {
  const caps = fc
    .uniqueArray(
      fc.record({
        scopeType: fc.constantFrom(...scopeTypes),
        scopeId: fc.constantFrom("ada", "bob", "eng", "ops", "sales"),
        period: fc.constantFrom(...periodNames),
        amount: fc.option(fc.bigInt({ min: 0n, max: 3n })),
      }),
      // As the table has it: one cap for each scope and period.
      { selector: (cap) => `${cap.scopeType} ${scopeIdOf(cap)} ${cap.period}`, maxLength: 20 },
    )
    .map((drawn) =>
      drawn.map((cap, index) => capOf({ ...cap, scopeId: scopeIdOf(cap), id: `spl_${index}` })),
    );
  fc.assert(
    fc.property(
      caps.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      ),
      fc.constantFrom<GroupLimitMode>("min", "max"),
      fc.constantFrom(...periodNames),
      ([all, shuffled], mode, period) => {
        expect(effectiveCap(shuffled, ada, period, mode)).toBe(
          effectiveCap(all, ada, period, mode),
        );
      },
    ),
  );
});

function scopeIdOf({ scopeType, scopeId }: Pick<Cap, "scopeType" | "scopeId">): string {
  return scopeType === "organization" || scopeType === "session" ? "" : scopeId;
}
