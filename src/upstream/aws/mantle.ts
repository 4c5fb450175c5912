// Amazon Bedrock's Messages endpoint ("Mantle"): the Messages API under AWS's signature, model and betas where the Messages API
// has them.
import type { UpstreamOf } from "../../config/schema.ts";
import { sendSigned } from "./post.ts";
import { createAwsSigner } from "./signing.ts";
import { betasOf, setBetas } from "../request/betas.ts";
import { cloudBody, cloudHeaders, modelChange, requestTagsBeta } from "../request/cloud-request.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { Dialect } from "../exchange.ts";
import { createSseReader } from "../answer/sse.ts";

export function createMantle(config: UpstreamOf<"mantle">, options: UpstreamOptions): Dialect {
  const { name, region } = config;
  const base = config.base_url ?? `https://bedrock-mantle.${region}.api.aws/anthropic`;
  const sign = createAwsSigner(config.auth, {
    owner: `upstream '${name}'`,
    region,
    service: "bedrock-mantle",
    assumeRole: config.assume_role,
    now: options.now,
    fetch: options.fetch,
  });
  return {
    async exchange(outbound, omit, signal) {
      const headers = cloudHeaders(outbound, {
        userAgent: options.userAgent,
        fixed: config.headers,
      });
      setBetas(headers, betasOf(outbound.headers, new Set([...omit.betas, requestTagsBeta])));
      const { set } = modelChange(outbound);
      const body = cloudBody(outbound, omit, { drop: ["tags"], set });
      const url = new URL(base + outbound.path);
      return sendSigned(options.fetch, sign, { url, headers, body }, outbound, signal);
    },
    eventReader: createSseReader,
  };
}
