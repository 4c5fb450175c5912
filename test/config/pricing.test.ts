// What may be said of prices, and what stops the start because nobody would read it or nobody could know what is meant.
import { expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";
import { listPriceOf, unknownPrice } from "../../src/models/list-prices.ts";
import { describeRefused, type Edit, edited, load, problemsOf, said } from "./samples.ts";

const rates = { input: 1, output: 5, cache_read: 0.1, cache_write: 1.25 };
const row = (more: object = {}) => ({
  upstream: "anthropic",
  model: "claude-sonnet-4-6",
  ...rates,
  ...more,
});

/** A price list beside a policy that it is pushed with. */
const priced =
  (pricing: unknown): Edit =>
  (c) => {
    c.managed = { policies: [{}] };
    c.pricing = pricing;
  };

const rowsFor = (...models: string[]) =>
  priced({ overrides: models.map((model) => row({ model })) });

const unread =
  "pricing → has no effect without an admin: block or a managed: block with at least one policy — the spend meter (admin) and the modelPricing pushed to clients (managed) are the only readers";
const aRate = "must be a number of US dollars per million tokens, greater than 0 and at most 10000";
const aMultiplier = "pricing.multiplier → must be a number greater than 0 and at most 10";
const tooFine = (place: string, most: string, has: number) =>
  `pricing.${place} → may have at most ${most}, so that spend can be counted exactly; it has ${has}`;
const twice = (index: number, first: string, upstream = "anthropic") =>
  `pricing.overrides[${index}] → duplicates the pricing override for '${first}' on upstream '${upstream}'`;

describeRefused({
  "prices nobody reads": [
    ["no policies block", (c) => (c.pricing = {}), unread],
    [
      "a policies block without a policy",
      (c) => {
        c.managed = {};
        c.pricing = { multiplier: 0.9 };
      },
      unread,
    ],
    [
      "an empty list of policies",
      (c) => {
        c.managed = { policies: [] };
        c.pricing = { overrides: [row()] };
      },
      unread,
    ],
  ],
  multiplier: [
    ["nothing", priced({ multiplier: 0 }), `${aMultiplier}, got 0`],
    ["less than nothing", priced({ multiplier: -0.5 }), `${aMultiplier}, got -0.5`],
    ["more than ten", priced({ multiplier: 10.1 }), `${aMultiplier}, got 10.1`],
    ["a truth", priced({ multiplier: true }), `${aMultiplier}, got true`],
    ["no number", priced({ multiplier: "half" }), `${aMultiplier}, got "half"`],
    [
      "another key",
      priced({ discount: 1 }),
      "pricing.discount → unknown key; known here: multiplier, overrides",
    ],
    ["no mapping", priced(null), "pricing → must be a mapping, got nothing"],
  ],
  "rates of an override": [
    ...Object.keys(rates).flatMap((rate): [string, Edit, string][] => [
      [
        `no ${rate}`,
        priced({ overrides: [row({ [rate]: undefined })] }),
        `pricing.overrides[0].${rate} → pricing.overrides[0].${rate} is required: ${aRate.slice("must be ".length)}`,
      ],
      [
        `${rate} for free`,
        priced({ overrides: [row({ [rate]: 0 })] }),
        `pricing.overrides[0].${rate} → ${aRate}, got 0`,
      ],
      [
        `${rate} of more than 10000`,
        priced({ overrides: [row({ [rate]: 10_000.01 })] }),
        `pricing.overrides[0].${rate} → ${aRate}, got 10000.01`,
      ],
    ]),
    [
      "a rate there is none of",
      priced({ overrides: [row({ web_search: 1 })] }),
      "pricing.overrides[0].web_search → unknown key; known here: upstream, model, input, output, cache_read, cache_write",
    ],
    [
      "no model",
      priced({ overrides: [row({ model: "" })] }),
      "pricing.overrides[0].model → must be a model id, as clients or the upstream spell it, got an empty string",
    ],
  ],
  "prices that are too fine to be counted exactly": [
    [
      "a multiplier of 17 decimals",
      priced({ multiplier: 0.12345678901234566, overrides: [row({ input: 1e-20 })] }),
      // Of the rates nothing is said while it is not known what they are multiplied by.
      tooFine("multiplier", "16 decimals", 17),
    ],
    [
      "a small multiplier, written with an exponent",
      priced({ multiplier: 1.5e-16 }),
      tooFine("multiplier", "16 decimals", 17),
    ],
    ...Object.keys(rates).map((rate): [string, Edit, string] => [
      `${rate} of 21 decimals`,
      priced({ overrides: [row(), row({ model: "house", [rate]: 1.1e-20 })] }),
      tooFine(`overrides[1].${rate}`, "20 decimals", 21),
    ]),
    [
      "a rate beside a multiplier, together",
      priced({ multiplier: 1.005, overrides: [row({ output: 1.2e-17 })] }),
      tooFine("overrides[0].output", "17 decimals beside the 3 of pricing.multiplier", 18),
    ],
  ],
  "rows that collide or lead nowhere": [
    [
      "an upstream that is not there",
      priced({ overrides: [row(), row({ upstream: "Anthropic" })] }),
      "pricing.overrides[1].upstream → references unknown upstream 'Anthropic'",
    ],
    ["the same row twice", rowsFor("house", "house"), twice(1, "house")],
    ["another case", rowsFor("House", "x", "hOUSE"), twice(2, "House")],
    [
      "other spellings of a built-in model",
      rowsFor(
        "claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5",
        "Claude-Sonnet-4-5-20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
      ),
      ...[1, 2, 3].map((index) => twice(index, "claude-sonnet-4-5@20250929")),
    ],
    [
      "Mantle's spelling",
      rowsFor("claude-opus-4-8", "anthropic.claude-opus-4-8"),
      twice(1, "claude-opus-4-8"),
    ],
    [
      "every mistake at once",
      (c) => {
        c.pricing = {
          multiplier: 11,
          overrides: [row(), row({ upstream: "x" }), row({ input: 0 })],
        };
      },
      // Of the section as a whole nothing is said while something in it has to be mended first.
      `${aMultiplier}, got 11`,
      "pricing.overrides[1].upstream → references unknown upstream 'x'",
      `pricing.overrides[2].input → ${aRate}, got 0`,
    ],
  ],
});

test("a duplicate is found on the line it is written on, though only models/ knows its spelling", () => {
  const [problem] = problemsOf(
    edited(rowsFor("claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6")),
  );
  const lines = edited(rowsFor("claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6")).split("\n");
  const second = lines.findIndex((line) => line.includes('"us.anthropic.'));
  // The row opens two lines above its model.
  expect(problem?.line).toBe(second - 1);
});

test.each([
  ["on two upstreams", [row({ upstream: "anthropic" }), row({ upstream: "b" })]],
  [
    "in spellings that name something else on an upstream",
    ["claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", "eu.anthropic.claude-sonnet-4-6"].map(
      (model) => row({ model }),
    ),
  ],
  [
    "with blanks, or with the mark of the long context",
    ["claude-sonnet-4-6", " claude-sonnet-4-6", "claude-sonnet-4-6[1m]"].map((model) =>
      row({ model }),
    ),
  ],
])("one model may have a row each %s", (_, overrides) => {
  const text = edited((c) => {
    priced({ overrides })(c);
    c.upstreams.push({ provider: "anthropic", name: "b", auth: { api_key: "sk-test" } });
  });
  expect(said(text)).toEqual([]);
});

test("a row is not said to name an unknown upstream while an upstream cannot be read", () => {
  const text = edited((c) => {
    priced({ overrides: [row({ upstream: "aws" })] })(c);
    c.upstreams.push({ provider: "openai", name: "aws" });
  });
  expect(said(text)).toHaveLength(1);
  expect(said(text)[0]).toStartWith("upstreams[1].provider → ");
});

test("prices are not said to be unread while the section that reads them cannot be read", () => {
  for (const [section, value] of [
    ["managed", "x"],
    ["managed", { policies: "x" }],
    ["admin", "x"],
  ] as const) {
    const text = edited((c) => {
      c.pricing = {};
      c[section] = value;
    });
    expect(said(text)).toHaveLength(1);
    expect(said(text)[0]).toStartWith(section);
  }
});

test("prices may be as fine as spend is counted, alone and multiplied", () => {
  const overrides = [row({ input: 1e-20, output: 12.5e-19 })];
  expect(said(edited(priced({ overrides })))).toEqual([]);
  expect(said(edited(priced({ multiplier: 1e-16, overrides: [row()] })))).toEqual([]);
  expect(said(edited(priced({ multiplier: 1.005, overrides: [row({ input: 1.1e-16 })] })))).toEqual(
    [],
  );
  expect(said(edited(priced({ multiplier: 10, overrides: [row({ input: 1e-20 })] })))).toEqual([]);
});

test("list prices are no finer than the finest multiplier leaves room for", () => {
  const listed = catalog.map(({ id }) => listPriceOf({ upstreamModel: id }, id) ?? unknownPrice);
  for (const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } of [
    ...listed,
    unknownPrice,
  ]) {
    for (const dollars of [input, output, cacheRead, cacheWrite5m, cacheWrite1h]) {
      expect(String(dollars)).toMatch(/^\d+(\.\d{1,4})?$/);
    }
  }
});

test("an admin block reads prices, too, whatever is in it", () => {
  for (const admin of [{}, { write_keys: [{ id: "a", key: "k".repeat(32) }] }]) {
    const text = edited((c) => Object.assign(c, { admin, pricing: { multiplier: 0.9 } }));
    expect(load(text).config.pricing).toEqual({ multiplier: 0.9, overrides: [] });
  }
});

test("the edges of what may be written are taken as they are written, also out of a variable", () => {
  const overrides = [
    row({ input: 10_000, output: 1e-9, cache_read: "0.3", cache_write: "${RATE}" }),
  ];
  const { config } = load(edited(priced({ multiplier: 10, overrides })), { env: { RATE: "0.1" } });
  expect(config.pricing).toEqual({
    multiplier: 10,
    overrides: [row({ input: 10_000, output: 1e-9, cache_read: 0.3, cache_write: 0.1 })],
  });
});

test("without a multiplier prices are multiplied by one, and without overrides there are none", () => {
  expect(load(edited(priced({}))).config.pricing).toEqual({ multiplier: 1, overrides: [] });
});
