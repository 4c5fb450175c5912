// The order in which routes are tried.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Attempt } from "../../src/inference/attempt.ts";
import { createRouting } from "../../src/inference/routing.ts";
import {
  answered,
  clientGone,
  namesOf,
  noAnswer,
  refused,
  routeTo,
  seededRandom,
  stoppedClock,
} from "./attempts.ts";

const settings = {
  unhealthy_after: 1,
  set_aside_seconds: 5,
  set_aside_max_seconds: 60,
  session_affinity: true,
};

type Place = { name: string; priority?: number; weight?: number };

function scene(places: Place[], change: Partial<typeof settings> = {}) {
  const clock = stoppedClock();
  const routing = createRouting({ ...settings, ...change }, places, {
    path: "/v1/messages",
    now: clock.now,
    random: seededRandom(7),
  });
  const routes = places.map(({ name }) => routeTo(name));
  return {
    ...clock,
    routing,
    routes,
    order: (session: string | null = null) => namesOf(routing.order(routes, session)),
    come: (name: string, attempt: Attempt, session: string | null = null) =>
      routing.begin(routeTo(name), session)(attempt),
  };
}

const abc = [{ name: "a" }, { name: "b" }, { name: "c" }];

describe("without a failover block", () => {
  const routing = createRouting(undefined, [{ name: "a" }, { name: "b" }], {
    path: "/v1/messages",
    now: () => 0,
    random: Math.random,
  });
  const routes = [routeTo("a"), routeTo("b")];

  test("the routes stay the very same list, and nothing is remembered", () => {
    for (let request = 0; request < 10; request++) {
      expect(routing.order(routes, "s")).toBe(routes);
      routing.begin(routeTo("a"), "s")(noAnswer);
      routing.begin(routeTo("b"), "s")(answered());
    }
    expect(routing.setAside()).toEqual([]);
  });
});

describe("priority and weight", () => {
  test("without a priority the order is as listed", () => {
    const { order } = scene(abc);
    for (let request = 0; request < 20; request++) expect(order()).toBe("abc");
  });

  test("a lower priority comes first, wherever it is listed", () => {
    const { order } = scene([
      { name: "a", priority: 2 },
      { name: "b", priority: 0 },
      { name: "c", priority: 1 },
    ]);
    for (let request = 0; request < 20; request++) expect(order()).toBe("bca");
  });

  test("no weight brings an upstream before one of a lower priority", () => {
    const { order } = scene([
      { name: "a", priority: 1, weight: 1000 },
      { name: "b", priority: 0, weight: 0.001 },
    ]);
    for (let request = 0; request < 200; request++) expect(order()).toBe("ba");
  });

  /** Shares of each order among many draws. */
  function sharesOf(places: Place[]): Map<string, number> {
    const { order } = scene(places);
    const draws = 20_000;
    const shares = new Map<string, number>();
    for (let draw = 0; draw < draws; draw++) {
      const drawn = order();
      shares.set(drawn, (shares.get(drawn) ?? 0) + 1 / draws);
    }
    return shares;
  }

  test("among equals each order is as likely as drawing by weight, without replacement, makes it", () => {
    const weights = { a: 6, b: 3, c: 1 };
    const places = Object.entries(weights).map(([name, weight]) => ({ name, priority: 0, weight }));
    const shares = sharesOf(places);
    const orders = [
      ["a", "b", "c"],
      ["a", "c", "b"],
      ["b", "a", "c"],
      ["b", "c", "a"],
      ["c", "a", "b"],
      ["c", "b", "a"],
    ] as const;
    for (const [first, second, third] of orders) {
      const likely = (weights[first] / 10) * (weights[second] / (weights[second] + weights[third]));
      // Five standard deviations of a share of 20,000 draws are less than this.
      expect(shares.get(first + second + third) ?? 0).toBeWithin(likely - 0.018, likely + 0.018);
    }
  });

  test("who names no weight has 1", () => {
    const shares = sharesOf([
      { name: "a", priority: 0, weight: 3 },
      { name: "b", priority: 0 },
    ]);
    expect(shares.get("ab") ?? 0).toBeWithin(0.732, 0.768);
  });
});

describe("upstreams that are set aside", () => {
  test("go to the end, in the order they had", () => {
    const { order, come } = scene(abc);
    come("a", noAnswer);
    expect(order()).toBe("bca");
    come("b", noAnswer);
    expect(order()).toBe("cab");
    come("c", noAnswer);
    expect(order()).toBe("abc");
  });

  test("have their place again after an answer", () => {
    const { order, come } = scene(abc);
    come("a", noAnswer);
    come("a", answered());
    expect(order()).toBe("abc");
  });

  test("are tried by one request, in their place, when their time is over", () => {
    const { order, come, pass, routing } = scene(abc);
    come("a", noAnswer);
    pass(5_000);
    expect(order()).toBe("abc");
    const end = routing.begin(routeTo("a"), null);
    expect(order()).toBe("bca");
    end(clientGone);
    expect(order()).toBe("abc");
  });

  test("are not tried one after the other by the same request while another is healthy", () => {
    const { order, come, pass } = scene(abc);
    come("a", noAnswer);
    come("b", noAnswer);
    pass(5_000);
    expect(order()).toBe("acb");
  });

  test("stay behind where a healthy one comes first anyway", () => {
    const { order, come, pass } = scene(abc);
    come("b", noAnswer);
    pass(5_000);
    expect(order()).toBe("acb");
  });

  test("are tried again when it is their turn: those before them are set aside", () => {
    const { order, come, pass } = scene(abc);
    come("b", noAnswer);
    pass(5_000);
    come("a", noAnswer);
    expect(order()).toBe("bca");
  });
});

describe("a session", () => {
  test("stays on the upstream that served it last when the primary is back", () => {
    const { order, come } = scene(abc);
    come("a", noAnswer, "s");
    come("b", answered(), "s");
    come("a", answered());
    expect(order("s")).toBe("bac");
    expect(order("another")).toBe("abc");
    expect(order(null)).toBe("abc");
  });

  test("stays in the pool where it was drawn", () => {
    const { order, come } = scene([
      { name: "a", priority: 0 },
      { name: "b", priority: 0 },
    ]);
    come("b", answered(), "s");
    for (let request = 0; request < 50; request++) expect(order("s")).toBe("ba");
  });

  test("leaves an upstream that is set aside, and stays where it went", () => {
    const { order, come } = scene(abc);
    come("b", answered(), "s");
    come("b", noAnswer);
    expect(order("s")).toBe("acb");
    come("a", answered(), "s");
    come("b", answered());
    expect(order("s")).toBe("abc");
  });

  test("may be the one that tries its own upstream again", () => {
    const { order, come, pass } = scene(abc);
    come("b", answered(), "s");
    come("b", noAnswer);
    pass(5_000);
    expect(order("s")).toBe("bac");
    expect(order("another")).toBe("acb");
  });

  test("is not bound by failures, nor by a refusal of the call itself", () => {
    const { order, come } = scene(abc, { unhealthy_after: 100 });
    for (const attempt of [answered(400), refused(429), refused(501), noAnswer, clientGone]) {
      come("b", attempt, "s");
      expect(order("s")).toBe("abc");
    }
  });

  test("whose upstream does not serve the model, or is not for its person, goes as others go", () => {
    const { routing, routes, come } = scene(abc);
    come("c", answered(), "s");
    expect(namesOf(routing.order(routes.slice(0, 2), "s"))).toBe("ab");
  });

  test("is not remembered with session_affinity: false", () => {
    const { order, come } = scene(abc, { session_affinity: false });
    come("b", answered(), "s");
    expect(order("s")).toBe("abc");
  });
});

test("what is learned on one path says nothing of the other", () => {
  const deps = { ...stoppedClock(), random: seededRandom(1) };
  const counts = createRouting(settings, abc, { ...deps, path: "/v1/messages/count_tokens" });
  const messages = createRouting(settings, abc, { ...deps, path: "/v1/messages" });
  counts.begin(routeTo("a"), null)(refused(404));
  const routes = [routeTo("a"), routeTo("b")];
  expect(namesOf(counts.order(routes, null))).toBe("ba");
  expect(namesOf(messages.order(routes, null))).toBe("ab");
  expect(counts.setAside()).toEqual([{ upstream: "a", upstreamModel: "m" }]);
  expect(messages.setAside()).toEqual([]);
});

test("whatever is remembered, the order holds every route once, and leaves the list it was given alone", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const attempt = fc.constantFrom(answered(), refused(429, 8_000), noAnswer, clientGone);
  const past = fc.array(
    fc.record({ name, attempt, ms: fc.nat(9_000), session: fc.constantFrom("s", "t", null) }),
  );
  const places = fc.option(
    fc.array(fc.record({ priority: fc.nat(2), weight: fc.integer({ min: 1, max: 5 }) }), {
      minLength: 4,
      maxLength: 4,
    }),
  );
  const served = fc.uniqueArray(name, { minLength: 1 });
  fc.assert(
    fc.property(places, past, served, (ranks, attempts, names) => {
      const { routing, come, pass } = scene(
        ["a", "b", "c", "d"].map((each, index) => ({ name: each, ...ranks?.[index] })),
      );
      for (const { name: tried, attempt: what, ms, session } of attempts) {
        come(tried, what, session);
        pass(ms);
      }
      const routes = names.map((each) => routeTo(each));
      const before = [...routes];
      for (const session of ["s", "t", null]) {
        const order = routing.order(routes, session);
        expect(new Set(order)).toEqual(new Set(before));
        expect(order).toHaveLength(before.length);
      }
      expect(routes).toEqual(before);
    }),
    { numRuns: 300 },
  );
});
