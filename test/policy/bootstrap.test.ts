// Who is told by GET /user/bootstrap that caps are theirs to set. The rest of that answer is in gateway/bootstrap.test.ts.
import { expect, test } from "bun:test";
import { createModelDirectory } from "../../src/models/resolve.ts";
import { createBootstrap } from "../../src/policy/bootstrap.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { edited, load } from "../config/samples.ts";
import { incomingOf } from "../support/incoming.ts";

/** The header for somebody in these groups. */
async function told(groups: string[], spendAdminGroups: string[] | undefined) {
  const { config } = load(edited((c) => (c.managed = { policies: [{ desktop: {} }] })));
  const handler = createBootstrap({
    policies: createPolicies(config),
    models: createModelDirectory(config, config.upstreams),
    baseOf: () => "https://gateway.example",
    telemetryLabels: undefined,
    spendAdminGroups,
    ttlSeconds: 3600,
    now: () => 0,
  });
  const request = new Request("https://gateway.example/user/bootstrap");
  const incoming = incomingOf(request);
  const ada = { sub: "ada", email: "ada@example.com", name: "Ada", groups };
  const { status, headers } = await handler(incoming, ada);
  expect(status).toBe(200);
  return headers.get("x-gateway-spend-admin");
}

test("members of one of admin.admin_groups are", async () => {
  expect(await told(["eng", "finance"], ["board", "finance"])).toBe("true");
  expect(await told(["board"], ["board", "finance"])).toBe("true");
});

test("others are not: in other groups, in none, in one spelled otherwise, or where there are none", async () => {
  expect(await told(["eng"], ["finance"])).toBe("false");
  expect(await told([], ["finance"])).toBe("false");
  expect(await told(["Finance"], ["finance"])).toBe("false");
  expect(await told(["finance"], [])).toBe("false");
  expect(await told(["finance"], undefined)).toBe("false");
});
