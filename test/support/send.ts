// A process that sends one call to each upstream it is given, and says which status each answered. Started by sendWith
// (internet.ts).
import { createAnthropicGoogleCloud } from "../../src/upstream/google/anthropic-google-cloud.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { createFoundry } from "../../src/upstream/azure/foundry.ts";
import { createVertex } from "../../src/upstream/google/vertex.ts";
import { fetchAsEnvironment } from "./egress.ts";
import { outboundCall } from "./cloud-api.ts";

const creators = {
  vertex: createVertex,
  foundry: createFoundry,
  anthropicGoogleCloud: createAnthropicGoogleCloud,
};

const statuses: number[] = [];
for (const config of JSON.parse(process.argv[2] ?? "")) {
  const create = creators[config.provider as keyof typeof creators];
  const { exchange } = create(config, {
    userAgent: "gateway/1",
    now: Date.now,
    fetch: fetchAsEnvironment,
  });
  const call = outboundCall({ model: "claude-opus-5" });
  const answer = await exchange(call, nothingOmitted, new AbortController().signal);
  statuses.push(answer.status);
}
console.log(JSON.stringify(statuses));
process.exit(0);
