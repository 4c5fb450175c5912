// What only a policy without a word shows of GET /managed/settings; the rest is in gateway/managed-settings.test.ts.
import { expect, test } from "bun:test";
import { createModelDirectory } from "../../src/models/resolve.ts";
import { createManagedSettings } from "../../src/policy/managed-settings.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { createServedSettings } from "../../src/policy/served-settings.ts";
import { edited, load } from "../config/samples.ts";
import { incomingOf } from "../support/incoming.ts";

const ada = { sub: "ada", email: "ada@example.com", name: "Ada", groups: [] };

/** The status that a session inside Claude Desktop is answered with under this policy. */
async function statusInDesktop(policy: object): Promise<number> {
  const { config } = load(edited((c) => (c.managed = { policies: [policy] })));
  const policies = createPolicies(config);
  const models = createModelDirectory(config, config.upstreams);
  const handler = createManagedSettings(policies, createServedSettings(config, policies, models));
  const request = new Request("https://gateway.example/managed/settings", {
    headers: { "user-agent": "claude-cli/2.1.330 (external, claude-desktop)" },
  });
  const incoming = incomingOf(request);
  return (await handler(incoming, ada)).status;
}

test("a session inside Claude Desktop is served a document that is meant for it, and no empty one", async () => {
  expect(await statusInDesktop({ cli: { model: "opus" }, serve_to_desktop: true })).toBe(200);
  expect(await statusInDesktop({ cli: {}, serve_to_desktop: true })).toBe(404);
});
