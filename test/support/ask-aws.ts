// A process that asks AWS for one thing in each of the regions it is given, whatever comes of it. Its environment is a test's,
// which looks at the hosts that are asked for (proxy.ts).
import { createAnthropicAws } from "../../src/upstream/aws/anthropic-aws.ts";
import { createRoleSessions } from "../../src/upstream/aws/assume-role.ts";
import { createBedrock } from "../../src/upstream/aws/bedrock.ts";
import { type Dialect, nothingOmitted } from "../../src/upstream/exchange.ts";
import { createMantle } from "../../src/upstream/aws/mantle.ts";
import { fetchAsEnvironment } from "./egress.ts";
import { outboundCall } from "./cloud-api.ts";
import { roleArn, sourceKeys } from "./sts.ts";

const [kind, ...regions] = process.argv.slice(2);
const outbound = outboundCall({ model: "m" });
const options = { userAgent: "gateway/1", now: Date.now, fetch: fetchAsEnvironment };
const settings = (region: string) => ({
  name: "aws",
  region,
  auth: {
    aws_access_key_id: sourceKeys.accessKeyId,
    aws_secret_access_key: sourceKeys.secretAccessKey,
  },
  headers: {},
  compatibility: { learn: false },
});

const askings: Record<string, (region: string) => Promise<unknown>> = {
  sts(region) {
    const source = { get: () => Promise.resolve(sourceKeys), refused: () => undefined };
    const role = { role_arn: roleArn };
    const sessionOf = createRoleSessions(role, source, {
      owner: "aws",
      region,
      now: Date.now,
      fetch: fetchAsEnvironment,
    });
    return sessionOf(outbound.principal).get();
  },
  bedrock: async (region) =>
    ask(await createBedrock({ provider: "bedrock", ...settings(region) }, options)),
  mantle: (region) =>
    ask(createMantle({ provider: "mantle", models: ["*"], ...settings(region) }, options)),
  anthropicAws: (region) =>
    ask(
      createAnthropicAws(
        { provider: "anthropicAws", workspace_id: "w", ...settings(region) },
        options,
      ),
    ),
};

function ask({ exchange }: Dialect): Promise<Response> {
  return exchange(outbound, nothingOmitted, AbortSignal.timeout(5_000));
}

for (const region of regions) await askings[kind ?? ""]?.(region).catch(() => undefined);
process.exit(0);
