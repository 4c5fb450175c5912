// What audit events add to the metrics.
import { describe, expect, test } from "bun:test";
import type { AuditEvent } from "../../../src/audit.ts";
import { metricsScene } from "./scene.ts";

const signIns = "claude_gateway_sign_ins_total";
const refusals = "claude_gateway_refusals_total";
const from = { request_id: "r", client_ip: "192.0.2.1" };
const ada = { request_id: "r", sub: "ada" };
const failed = {
  evt: "session.refresh",
  result: "fail",
  answer: "invalid_grant",
  ...from,
} as const;

/** The series of both counters that the events come to. */
async function counted(...events: AuditEvent[]) {
  const { audited, read } = metricsScene();
  for (const event of events) audited(event);
  const { series, value } = await read();
  const of = (name: string): object[] =>
    series(name).map((labels) => ({ ...labels, n: value(name, labels) }));
  return { signIns: of(signIns), refusals: of(refusals) };
}

describe("sign-ins", () => {
  test("and renewals are counted by what they came to", async () => {
    const { signIns: found } = await counted(
      { evt: "session.mint", result: "success", ttl_hours: 1, sub: "ada", ...from },
      { evt: "session.mint", result: "success", ttl_hours: 1, sub: "bob", ...from },
      { evt: "session.refresh", result: "success", ttl_hours: 1, sub: "ada", ...from },
    );
    expect(found).toEqual([
      { event: "mint", result: "success", n: 2 },
      { event: "refresh", result: "success", n: 1 },
    ]);
  });

  test.each([
    "authorization",
    "token_endpoint",
    "id_token",
    "userinfo",
    "directory",
    "admission",
    "refresh_token",
  ])("that failed at %s are counted so", async (step) => {
    const { signIns: found } = await counted({ ...failed, err: "canary", step });
    expect(found).toEqual([{ event: "refresh", result: "fail", reason: step, n: 1 }]);
  });

  test("that failed at anything else have another reason, and no free text", async () => {
    const { signIns: found } = await counted(
      { ...failed, err: "canary", step: "canary" },
      { ...failed, err: "canary", step: "constructor" },
      { evt: "session.mint", result: "fail", err: "canary", step: "canary", ...from },
    );
    expect(found).toEqual([
      { event: "refresh", result: "fail", reason: "other", n: 2 },
      { event: "mint", result: "fail", reason: "other", n: 1 },
    ]);
  });
});

const refused: [AuditEvent, reason: string][] = [
  [{ evt: "auth.denied", reason: "missing_token", path: "/canary", ...from }, "missing_token"],
  [{ evt: "auth.denied", reason: "invalid_token", path: "/canary", ...from }, "invalid_token"],
  [{ evt: "access.denied", reason: "ip_denylist", ...from }, "ip_denylist"],
  [{ evt: "access.denied", reason: "ip_not_allowlisted", ...from }, "ip_not_allowlisted"],
  [{ evt: "access.denied", reason: "xff_unparseable", ...from }, "xff_unparseable"],
  [{ evt: "access.denied", reason: "client_ip_unknown", ...from }, "client_ip_unknown"],
  [{ evt: "access.denied", reason: "canary", ...from }, "other"],
  [{ evt: "spend.blocked", cause: "over_limit", source: "canary", ...ada }, "over_limit"],
  [{ evt: "spend.blocked", cause: "reserved", ...ada }, "reserved"],
  [{ evt: "spend.blocked", cause: "store_error", ...ada }, "store_error"],
  [
    { evt: "admin.denied", reason: "invalid_key", method: "GET", path: "/canary", ...from },
    "invalid_key",
  ],
  [{ evt: "desktop_bootstrap.denied", reason: "no_policy_matched", ...ada }, "no_policy_matched"],
  [{ evt: "device.authorize", result: "rate_limited", ...from }, "rate_limited"],
  [{ evt: "device.verify", result: "unknown_code", ...from }, "unknown_code"],
  [{ evt: "device.verify", result: "csrf_rejected", ...from }, "csrf_rejected"],
  [{ evt: "device.verify", result: "rate_limited", ...from }, "rate_limited"],
  [
    { evt: "device.deny", result: "denied", requested_from: "canary", requested_at: "", ...from },
    "denied",
  ],
  [{ evt: "device.callback", result: "browser_mismatch", ...from }, "browser_mismatch"],
];

describe("refusals", () => {
  test.each(refused)("%o are counted", async (event, reason) => {
    const { refusals: found } = await counted(event, event);
    expect(found).toEqual([{ event: event.evt, reason, n: 2 }]);
  });
});

test("nothing else is counted, and no sign-in is a refusal", async () => {
  const limit = { target: "t", scope_type: "user", scope_id: "ada", period: "monthly" };
  const change = { request_id: "r", actor: "oidc:ada", ...limit };
  const found = await counted(
    { evt: "config.load", path: "gateway.yaml", sha256: "0" },
    { evt: "access.public_client", ...from },
    { evt: "device.authorize", result: "success", ...from },
    { evt: "device.verify", result: "redirect", ...from },
    { evt: "managed.serve", policy_index: 0, checksum: "0", ...ada },
    { evt: "desktop_bootstrap.serve", policy_index: 0, ...ada },
    { evt: "admin.limit.upsert", amount: "1", ...change },
    { evt: "admin.limit.delete", ...change },
    {
      evt: "inference",
      path: "/v1/messages",
      model: null,
      upstream: null,
      upstream_request_id: null,
      upstream_cloud_request_id: null,
      status: 403,
      ms: 1,
      ...ada,
    },
    { evt: "spend.metered", model: "m", input_tokens: 1, output_tokens: 1, cents: 1, ...ada },
  );
  expect(found).toEqual({ signIns: [], refusals: [] });
});
