// What a call costs: every list price, the operator's own prices, which of them counts, and what makes either dearer or cheaper.
// That all of it is exact is tested in price-exactness.test.ts.
import { describe, expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";
import { cent, centsText, moneyOf } from "../../src/spend/money.ts";
import { createPrices } from "../../src/spend/price.ts";
import type { OtherUsage, Usage } from "../../src/spend/usage.ts";
import { listed, longPrompts, pricesOf, route, row, tokenClasses, used } from "./listed-prices.ts";

describe("the list price of", () => {
  test.each(Object.entries(listed))("%s, in each class of tokens", (model, [cents, fastFactor]) => {
    const cost = (more: Partial<Usage>) =>
      // A tenth of a million, which is no long prompt yet.
      pricesOf().costOf(route(model), model, used(more)) * 10n;
    const each = (isFast: boolean) =>
      tokenClasses.map((name) => cost({ [name]: 100_000, isFast })).map(centsText);
    expect(each(false).join(" ")).toBe(cents);
    expect(each(true)).toEqual(cents.split(" ").map((one) => centsText(moneyOf(one) * fastFactor)));
  });

  test("every built-in model is among them", () => {
    expect(catalog.filter(({ foundry }) => listed[foundry] === undefined)).toEqual([]);
  });

  test("a web search is a cent, in fast mode and behind a long prompt, too", () => {
    const prices = pricesOf();
    const searches = used({ webSearches: 3, isFast: true });
    expect(prices.costOf(route("claude-opus-4-8"), "x", searches)).toBe(3n * cent);
    const long = used({ inputTokens: 100_001 });
    const haiku = route("claude-haiku-5-5");
    const more =
      prices.costOf(haiku, "x", { ...long, webSearches: 3 }) - prices.costOf(haiku, "x", long);
    expect(more).toBe(3n * cent);
  });
});

describe("a long prompt to haiku-5-5 makes all of the call five times as dear", () => {
  const cost = (more: Partial<Usage>) =>
    centsText(pricesOf().costOf(route("claude-haiku-5-5"), "x", used(more)));

  test("from one token more than 100,000", () => {
    expect(cost({ inputTokens: 100_000, outputTokens: 1000 })).toBe("1.05");
    expect(cost({ inputTokens: 100_001, outputTokens: 1000 })).toBe("5.25005");
  });

  test("whether they are new, read from the cache or written to it", () => {
    const most = {
      cacheReadTokens: 50_000,
      cacheWrite5mTokens: 25_000,
      cacheWrite1hTokens: 25_000,
    };
    expect(cost({ ...most, inputTokens: 0 })).toBe("0.8625");
    expect(cost({ ...most, inputTokens: 1 })).toBe("4.31255");
    expect(cost({ ...most, cacheReadTokens: 50_001 })).toBe("4.312505");
    expect(cost({ ...most, cacheWrite5mTokens: 25_001 })).toBe("4.3125625");
    expect(cost({ ...most, cacheWrite1hTokens: 25_001 })).toBe("4.3126");
  });

  test("but not for what it answers", () => {
    expect(cost({ inputTokens: 1, outputTokens: 1_000_000 })).toBe("50.00001");
  });

  test("and no other model has such a price", () => {
    const others = Object.keys(listed).filter((model) => longPrompts[model] === undefined);
    for (const model of others) {
      const of = (inputTokens: number) =>
        pricesOf().costOf(route(model), model, used({ inputTokens }));
      expect(of(1_000_000)).toBe(of(1) * 1_000_000n);
    }
  });
});

describe("a row of the operator's", () => {
  const prices = pricesOf([row("claude-haiku-5-5"), row("claude-opus-4-8")], 0.5);

  test("says what each class costs, of cache writes for both times", () => {
    const cents = tokenClasses.map((name) =>
      centsText(prices.costOf(route("claude-opus-4-8"), "x", used({ [name]: 1_000_000 }))),
    );
    expect(cents.join(" ")).toBe("50 100 150 200 200");
  });

  test("holds in fast mode and for long prompts as it is", () => {
    const usage = used({ inputTokens: 1_000_000, isFast: true });
    expect(prices.costOf(route("claude-opus-4-8"), "x", usage)).toBe(50n * cent);
    expect(prices.costOf(route("claude-haiku-5-5"), "x", usage)).toBe(50n * cent);
  });

  test("leaves web searches at their price", () => {
    expect(prices.costOf(route("claude-opus-4-8"), "x", used({ webSearches: 1 }))).toBe(cent / 2n);
  });
});

describe("the price is found by", () => {
  const million = used({ inputTokens: 1_000_000 });
  const price = (rates: Record<string, number>, upstreamModel: string, model: string) => {
    const rows = Object.entries(rates).map(([name, input]) => row(name, { input }));
    return centsText(pricesOf(rows).costOf(route(upstreamModel), model, million));
  };

  test("a row for the upstream's id, before one for the client's, before one for the model that it names", () => {
    const [upstream, client, name] = ["eu-claude-opus-4-8", "house", "claude-opus-4-8"];
    expect(price({ [name]: 7, [client]: 8, [upstream]: 9 }, upstream, client)).toBe("900");
    expect(price({ [name]: 7, [client]: 8 }, upstream, client)).toBe("800");
    expect(price({ [name]: 7 }, upstream, client)).toBe("700");
    expect(price({}, upstream, client)).toBe("500");
  });

  test("a row for the client's id also where the upstream's names a model of the list", () => {
    expect(price({ house: 100 }, "claude-haiku-5-5", "House")).toBe("10000");
  });

  test("the list price of the upstream's id before that of the client's", () => {
    expect(price({}, "claude-haiku-4-5", "claude-opus-4-1")).toBe("100");
    expect(price({}, "house", "claude-haiku-4-5")).toBe("100");
    expect(price({}, "claude-opus-9", "claude-haiku-4-5")).toBe("100");
  });

  test("what an unknown model is taken to cost, at last", () => {
    expect(price({}, "house", "mansion")).toBe("500");
  });

  test("the upstream that answered: a row of another one's is not its own", () => {
    const prices = pricesOf([row("claude-opus-4-8", { upstream: "b", input: 9 })]);
    const cost = (upstream: string) =>
      centsText(prices.costOf(route("claude-opus-4-8", upstream), "claude-opus-4-8", million));
    expect(["a", "b", "a", "c"].map(cost)).toEqual(["500", "900", "500", "500"]);
  });

  test("what a call is about, and not what an earlier one to the same place was", () => {
    const prices = pricesOf([row("dear", { input: 9 })]);
    const cost = (upstreamModel: string, model: string) =>
      centsText(prices.costOf(route(upstreamModel), model, million));
    const models = ["dear", "claude-haiku-4-5", "DEAR", "other"];
    expect(models.map((model) => cost("profile", model))).toEqual(["900", "100", "900", "500"]);
    expect(cost("claude-haiku-4-5", "other")).toBe("100");
  });
});

describe("what is billed beside a call's own usage", () => {
  const million = used({ inputTokens: 1_000_000 });
  const costOfAll = (prices: ReturnType<typeof pricesOf>, ...others: readonly OtherUsage[]) =>
    centsText(prices.costOfAll(route("claude-haiku-4-5"), "house", { usage: million, others }));

  test("is nothing, as a rule", () => {
    expect(costOfAll(pricesOf())).toBe("100");
  });

  test("costs what the call's model does where no other one is named", () => {
    const twice = used({ inputTokens: 2_000_000 });
    expect(costOfAll(pricesOf(), { model: undefined, usage: twice })).toBe("300");
    expect(
      costOfAll(pricesOf([row("house", { input: 9 })]), { model: undefined, usage: twice }),
    ).toBe("2700");
  });

  test("costs what the model that is named does, by the list or by a row for this upstream", () => {
    const advised = { model: "claude-opus-4-8", usage: million };
    expect(costOfAll(pricesOf(), advised, advised)).toBe("1100");
    expect(costOfAll(pricesOf([row("claude-opus-4-8", { input: 9 })]), advised)).toBe("1000");
    const elsewhere = row("claude-opus-4-8", { upstream: "b", input: 9 });
    expect(costOfAll(pricesOf([elsewhere]), advised)).toBe("600");
    expect(costOfAll(pricesOf([row("house", { input: 9 })]), advised)).toBe("1400");
  });

  test("has the multiplier, too", () => {
    expect(costOfAll(pricesOf([], 0.5), { model: "claude-opus-4-8", usage: million })).toBe("300");
  });

  test("was done at the call's speed by its own model, and by another one at that one's", () => {
    const fast = (model: string | undefined) =>
      centsText(
        pricesOf().costOfAll(route("claude-opus-4-6"), "x", {
          usage: used({ isFast: true }),
          others: [{ model, usage: million }],
        }),
      );
    expect(fast(undefined)).toBe("3000");
    expect(fast("claude-opus-4-6")).toBe("500");
  });

  test("makes no prompt a long one that is none by itself", () => {
    const half = used({ inputTokens: 100_000 });
    const others = [{ model: undefined, usage: half }];
    const haiku = route("claude-haiku-5-5");
    expect(centsText(pricesOf().costOfAll(haiku, "x", { usage: half, others }))).toBe("2");
  });
});

describe("the multiplier", () => {
  test("is of every price: fast mode, long prompts, searches and rows", () => {
    const prices = pricesOf([row("house")], 0.5);
    const usage = used({ inputTokens: 200_000, isFast: true, webSearches: 2 });
    const cost = (model: string) => centsText(prices.costOf(route(model), model, usage));
    expect(cost("claude-opus-4-6")).toBe("301");
    expect(cost("claude-haiku-5-5")).toBe("6");
    expect(cost("house")).toBe("11");
  });

  test("of one token's price leaves no noise of floating point", () => {
    const cost = (multiplier: number) =>
      pricesOf([], multiplier).costOf(route("claude-sonnet-5"), "x", used({ cacheReadTokens: 1 }));
    expect(centsText(cost(0.7))).toBe("0.000014");
    expect(centsText(cost(1e-7))).toBe("0.000000000002");
    expect(centsText(cost(0.1234567890123456))).toBe("0.000002469135780246912");
  });

  test("is 1 without prices in the configuration", () => {
    const prices = createPrices({});
    expect(prices.costOf(route("claude-opus-5"), "x", used({ outputTokens: 1_000_000 }))).toBe(
      2500n * cent,
    );
  });
});
