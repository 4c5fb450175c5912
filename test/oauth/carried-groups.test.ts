// Which groups a bearer carries of somebody who is in very many.
import { describe, expect, test } from "bun:test";
import { array, assert, nat, oneof, property, string } from "fast-check";
import type { Expected, IdentityProvider, IdpGrant } from "../../src/idp/identity.ts";
import {
  carriedBytesMax,
  chosen,
  decisiveBytesMax,
  withCarriedGroups,
} from "../../src/oauth/carried-groups.ts";
import type { CapRow, StandingsStore } from "../../src/store/standings.ts";
import { rejection } from "../support/idp.ts";

const bytes = (groups: readonly string[]) => Buffer.byteLength(JSON.stringify(groups));
const many = Array.from({ length: 10_000 }, (_, index) => `group-${index}`);

/** An identity provider that says these groups, and what the gateway makes of it. */
function providerOf(
  groups: string[] | undefined,
  options: Partial<Parameters<typeof withCarriedGroups>[1]> = {},
) {
  const said: string[] = [];
  const grant: IdpGrant = {
    identity: { sub: "ada", email: "ada@example.com", ...(groups && { groups }) },
    refreshToken: "rt-1",
  };
  const asked: unknown[][] = [];
  const real = {
    issuer: "https://idp.example.com",
    redeem: async (...given: unknown[]) => (asked.push(given), grant),
    renew: async (...given: unknown[]) => (asked.push(given), grant),
  } as unknown as IdentityProvider;
  const provider = withCarriedGroups(real, {
    isNamed: (group) => group.startsWith("named"),
    standings: undefined,
    log: {
      info: (message) => void said.push(message),
      warn: (message) => void said.push(message),
    },
    ...options,
  });
  return { provider, grant, said, asked };
}

const groupsOf = async (provider: IdentityProvider) =>
  (await provider.renew("rt-0")).identity.groups ?? [];

const standingsWith = (...caps: [string, string][]): Pick<StandingsStore, "read"> => ({
  read: async ({ groups }) => ({
    caps: caps
      .filter(([, id]) => id === "" || groups.includes(id))
      .map(([scope_type, scope_id]) => ({ scope_type, scope_id }) as CapRow),
    principals: [],
    pools: [],
    sessions: [],
    seq: 0,
  }),
});

describe("a bearer", () => {
  test("carries all groups of nearly everybody, as they came, and nobody is asked about them", async () => {
    const read = () => Promise.reject(new Error("asked"));
    for (const groups of [undefined, [], ["b", "a", "b"], many.slice(0, 300)]) {
      const { provider, grant, said } = providerOf(groups, { standings: { read } });
      expect(await provider.renew("rt-0")).toEqual(grant);
      expect(said).toEqual([]);
    }
  });

  test("carries those that the configuration names of very many, wherever they stand, and says so once", async () => {
    const { provider, said } = providerOf([...many, "named-1", "named-2"]);
    const groups = await groupsOf(provider);
    expect(groups.slice(-2)).toEqual(["named-1", "named-2"]);
    expect(groups[0]).toBe("group-0");
    expect(bytes(groups)).toBeLessThanOrEqual(carriedBytesMax);
    expect(said).toEqual([
      expect.stringContaining(`the bearer of ada carries ${groups.length} of 10002 groups`),
    ]);
  });

  test("carries those that have a cap, also under a name that is stored in another way, and no others for it", async () => {
    const standings = standingsWith(
      ["rbac_group", "group-9998"],
      ["rbac_group", "odd\ufffd"],
      ["user", "group-9997"],
      ["organization", ""],
    );
    const { provider } = providerOf([...many, "odd\0"], { standings });
    expect((await groupsOf(provider)).slice(-2)).toEqual(["group-9998", "odd\0"]);
  });

  test("carries more than others fit of those that decide something, up to a bound, and no others then", async () => {
    const named = Array.from({ length: 800 }, (_, index) => `named-${index}`);
    const { provider } = providerOf([...many, ...named]);
    expect(bytes(named)).toBeGreaterThan(carriedBytesMax);
    expect(await groupsOf(provider)).toEqual(named);
  });

  test("is refused when even those are too many, in words for the person and for the operator", async () => {
    const named = Array.from({ length: 2_000 }, (_, index) => `named-${index}`);
    const { provider } = providerOf(named);
    for (const refused of [
      provider.renew("rt-0"),
      provider.redeem(new URLSearchParams(), {} as never),
    ])
      expect(await rejection(refused)).toMatchObject({
        kind: "refused",
        step: "admission",
        message: expect.stringContaining("is in 2000 groups"),
        forPerson: expect.stringContaining("Ask your administrator"),
      });
  });

  test("carries as many as it can while the caps of very many groups cannot be read", async () => {
    const read = () => Promise.reject(new Error("the database is away"));
    const { provider, said } = providerOf(many, { standings: { read } });
    const carried = Buffer.byteLength(JSON.stringify(await groupsOf(provider)));
    expect(carried).toBeGreaterThan(decisiveBytesMax - 200);
    expect(carried).toBeLessThanOrEqual(decisiveBytesMax);
    expect(said.join()).toContain("the database is away");
  });

  test("is asked for as before", async () => {
    const { provider, asked } = providerOf(["a"]);
    const attempt = { state: "s" } as never;
    const callback = new URLSearchParams("code=1");
    const expected: Expected = { groups: true, email: false };
    await provider.redeem(callback, attempt);
    await provider.renew("rt-0", expected, { requestId: "r" });
    expect(asked).toEqual([
      [callback, attempt],
      ["rt-0", expected, { requestId: "r" }],
    ]);
    expect(provider.issuer).toBe("https://idp.example.com");
  });
});

test("whatever the groups are: what decides is kept, the order too, and the bounds hold", () => {
  const name = oneof(
    string({ unit: "binary", maxLength: 400 }),
    nat(30).map((n) => `named-${n}-${"x".repeat(n * 100)}`),
  );
  assert(
    property(array(name, { maxLength: 60 }), (groups) => {
      const isDecisive = (group: string) => group.startsWith("named");
      const kept = chosen(groups, isDecisive);
      const decisive = [...new Set(groups.filter(isDecisive))];
      if (kept === undefined) return expect(bytes(decisive)).toBeGreaterThan(decisiveBytesMax);
      expect(kept.filter(isDecisive)).toEqual(decisive);
      expect(kept).toEqual([...new Set(groups)].filter((group) => kept.includes(group)));
      expect(bytes(kept)).toBeLessThanOrEqual(Math.max(carriedBytesMax, bytes(decisive)));
      if (bytes([...new Set(groups)]) < carriedBytesMax) expect(kept).toEqual([...new Set(groups)]);
    }),
    { numRuns: 1_000 },
  );
});
