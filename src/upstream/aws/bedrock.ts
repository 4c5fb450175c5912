// Amazon Bedrock's InvokeModel: the model in the path, betas in the body (bedrock-body.ts), the answer as an AWS event stream
// (bedrock-events.ts). Counting tokens, an API of its own, is in bedrock-count.ts.
import type { UpstreamOf } from "../../config/schema.ts";
import { sendSigned } from "./post.ts";
import { createAwsSigner } from "./signing.ts";
import { invokeBody } from "./bedrock-body.ts";
import { createBedrockCount } from "./bedrock-count.ts";
import { createBedrockEventReader } from "./bedrock-events.ts";
import { cloudHeaders } from "../request/cloud-request.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { Dialect, Exchange } from "../exchange.ts";

export async function createBedrock(
  config: UpstreamOf<"bedrock">,
  options: UpstreamOptions,
): Promise<Dialect> {
  const { name, region, guardrail } = config;
  const base = config.base_url ?? (await endpointOf(region));
  const sign = createAwsSigner(config.auth, {
    owner: `upstream '${name}'`,
    region,
    service: "bedrock",
    assumeRole: config.assume_role,
    now: options.now,
    fetch: options.fetch,
  });
  const fixed = {
    ...config.headers,
    ...(guardrail !== undefined && {
      "x-amzn-bedrock-guardrailidentifier": guardrail.id,
      "x-amzn-bedrock-guardrailversion": guardrail.version,
    }),
  };

  const invoke: Exchange = async (outbound, omit, signal) => {
    const operation = outbound.call.stream ? "invoke-with-response-stream" : "invoke";
    const url = new URL(`${base}/model/${encodeURIComponent(outbound.upstreamModel)}/${operation}`);
    const headers = cloudHeaders(outbound, { userAgent: options.userAgent, fixed });
    return sendSigned(
      options.fetch,
      sign,
      { url, headers, body: invokeBody(outbound, omit) },
      outbound,
      signal,
    );
  };
  const count = createBedrockCount({ base, name, sign, fixed: config.headers, ...options });

  return {
    exchange: (outbound, omit, signal) =>
      outbound.path === "/v1/messages"
        ? invoke(outbound, omit, signal)
        : count.exchange(outbound, omit, signal),
    eventReader: createBedrockEventReader,
    // An invocation runs to its end.
    billsGivenUp: true,
    readJson: (body, { path }) => (path === "/v1/messages" ? body : count.readJson(body)),
  };
}

/** Where a region answers: its partition, and FIPS when AWS_USE_FIPS_ENDPOINT asks for it, as every AWS SDK decides it. */
async function endpointOf(region: string): Promise<string> {
  const { BedrockRuntimeClient } = await import("@aws-sdk/client-bedrock-runtime");
  const { config } = new BedrockRuntimeClient({ region });
  const UseFIPS = await config.useFipsEndpoint();
  return config.endpointProvider({ Region: region, UseFIPS }).url.origin;
}
