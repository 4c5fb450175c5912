// Which upstreams a configuration becomes, and how long each may take to the head of its answer.
import { describe, expect, test } from "bun:test";
import type { FailoverConfig } from "../../src/config/schema.ts";
import { createUpstreams } from "../../src/upstream/upstreams.ts";
import { providers, sample } from "../config/upstream-samples.ts";
import { edited, load } from "../config/samples.ts";
import { fetchHere } from "../support/egress.ts";

const hourMs = 60 * 60_000;

async function upstreamsOf(
  change: { failover?: NonNullable<FailoverConfig>; upstream_ttfb_ms?: number } = {},
) {
  const text = edited((c) => (c.upstreams = providers.map((provider) => sample(provider))));
  const { upstreams } = load(text).config;
  const { upstream_ttfb_ms, failover } = change;
  return createUpstreams(
    {
      upstreams,
      timeouts: upstream_ttfb_ms === undefined ? {} : { upstream_ttfb_ms },
      ...(failover !== undefined && { failover }),
    },
    { userAgent: "gw/1", now: Date.now, fetch: fetchHere, providerFetch: fetchHere },
  );
}

test("there is one for each entry, in order, under its name", async () => {
  const upstreams = await upstreamsOf();
  expect(upstreams.map(({ name }) => name)).toEqual([...providers]);
});

describe("the time to the head of an answer", () => {
  const failover = {
    unhealthy_after: 3,
    set_aside_seconds: 5,
    set_aside_max_seconds: 300,
    session_affinity: true,
  };

  test.each([
    ["as it comes", {}, [120_000, 120_000], [hourMs, hourMs]],
    ["as configured", { upstream_ttfb_ms: 7 }, [7, 7], [7, hourMs]],
    ["with a memory for failures", { failover }, [120_000, 120_000], [120_000, hourMs]],
    ["with both", { failover, upstream_ttfb_ms: 7 }, [7, 7], [7, hourMs]],
  ])("%s: streamed and whole, of anthropic and of clouds", async (_, change, direct, cloud) => {
    for (const { provider, ttfbMs } of await upstreamsOf(change)) {
      expect([ttfbMs.streamed, ttfbMs.whole]).toEqual(provider === "anthropic" ? direct : cloud);
    }
  });
});
