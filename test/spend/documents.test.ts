// What README.md and protocol.md say of spend limits is what the gateway does: each cap that they show can be set, and the refusal
// that they print is the one that is sent.
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createAccounts } from "../../src/spend/accounts.ts";
import { cent } from "../../src/spend/money.ts";
import type { Standing } from "../../src/spend/standing.ts";
import { limitReached, limitSpokenFor, limitUnavailable } from "../../src/spend/told.ts";
import { openScene } from "./admin-scene.ts";

const root = join(import.meta.dir, "..", "..");
const readme = await Bun.file(join(root, "README.md")).text();
const protocol = await Bun.file(join(root, "src", "protocol.md")).text();

const blockedMessage = "ask finops@corp.example.com";

/** Of the cap in protocol.md's example: a cent a week, of which a little more is spent. */
const example: Standing = {
  source: "user",
  period: "weekly",
  resetsAt: Date.parse("2026-11-30T00:00:00Z"),
  amount: cent,
  spent: (cent * 104n) / 100n,
  account: createAccounts().of({ kind: "principal", principal: "ada" }),
};

describe("the admin API takes", () => {
  const caps = [...readme.matchAll(/^set_cap '([^']*)'$/gm)].map(([, body = ""]) => body);
  const scene = openScene();
  afterAll(async () => (await scene).close());

  test.each(caps)("%s", async (body) => {
    const { status, json } = await (await scene).post(body);
    expect(status).toBe(200);
    expect(json).toMatchObject(JSON.parse(body));
  });

  test("a cap of every scope, each of them shown once", () => {
    const scopes = caps.map((body) => JSON.parse(body).scope);
    expect(new Set(scopes.map(({ type }) => type))).toEqual(
      new Set(["organization", "rbac_group", "user", "session"]),
    );
    expect(new Set(caps).size).toBe(caps.length);
  });

  test("the requests to a pool that stand in the text", async () => {
    const pools = [...readme.matchAll(/`(?:"pooled_budget": )?(\{[^`]*"paused": true\})`/g)];
    expect(pools).toHaveLength(2);
    const group = { type: "rbac_group", rbac_group_id: "eng" };
    const found: unknown[] = [];
    for (const [, pool = ""] of pools) {
      const body = { scope: group, pooled_budget: JSON.parse(pool) };
      const { json } = await (await scene).post(body);
      found.push(json.pooled_budget?.paused ?? json.pooled_budget);
    }
    // The first suspends it, the second takes it away.
    expect(found).toEqual([true, null]);
  });
});

test("protocol.md prints the refusal that is sent, header by header", () => {
  const [, head = "", message = ""] =
    /^ {4}HTTP\/1\.1 429\n(.*?)\n\n {4}\{.*?"message": "([^"]*)"/ms.exec(protocol) ?? [];
  const printed = head.split("\n").map((line) => line.trim().split(": "));
  const retrySeconds = Number(new Map(printed as [string, string][]).get("retry-after"));
  const now = example.resetsAt - retrySeconds * 1000;
  const sent = limitReached(example, { blockedMessage, now });
  expect(Object.fromEntries(printed)).toEqual(sent.headers);
  expect(message).toBe(sent.message);
});

test("README.md prints the message of a monthly cap", () => {
  const resetsAt = Date.parse("2026-12-01T00:00:00Z");
  const monthly = { ...example, period: "monthly", resetsAt } as const;
  const { message } = limitReached(monthly, { blockedMessage, now: resetsAt });
  expect(readme).toContain(`\`${message}\``);
});

test("protocol.md has the other refusals as they are sent", () => {
  const spokenFor = limitSpokenFor(undefined);
  expect(protocol).toContain(
    `\`${spokenFor.status} ${spokenFor.type}\` with \`retry-after: ${spokenFor.headers["retry-after"]}\` and \`x-should-retry: ${spokenFor.headers["x-should-retry"]}\``,
  );
  const unavailable = limitUnavailable(undefined);
  expect(protocol).toContain(
    `\`${unavailable.status} ${unavailable.type}\` \`${unavailable.message}\``,
  );
});
