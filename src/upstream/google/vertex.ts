// Claude on Google Cloud (Vertex AI): the model is in the path, the API version in the body, and the credential is Google's.
import type { UpstreamOf } from "../../config/schema.ts";
import { betasOf, setBetas } from "../request/betas.ts";
import {
  anthropicVersion,
  type BodyChange,
  cloudBody,
  cloudHeaders,
  requestTagsBeta,
} from "../request/cloud-request.ts";
import { postAs } from "../request/post.ts";
import type { Dialect, Omissions } from "../exchange.ts";
import { createGoogleCredential } from "./credentials.ts";
import { createSseReader } from "../answer/sse.ts";
import type { OutboundCall, UpstreamOptions } from "../upstream.ts";

const apiVersion = "vertex-2023-10-16";

export function createVertex(config: UpstreamOf<"vertex">, options: UpstreamOptions): Dialect {
  const { project_id: projectId, region, auth } = config;
  const base = config.base_url ?? defaultBase(region);
  const models = `${base}/projects/${projectId}/locations/${region}/publishers/anthropic/models`;
  const credential = createGoogleCredential(
    { accessToken: auth.access_token, keyFile: auth.service_account_json, projectId },
    { owner: `upstream '${config.name}'`, now: options.now },
  );

  function headersFor(outbound: OutboundCall, omit: Omissions): Headers {
    const headers = cloudHeaders(outbound, { userAgent: options.userAgent, fixed: config.headers });
    setBetas(headers, betasOf(outbound.headers, new Set([...omit.betas, requestTagsBeta])));
    return headers;
  }

  return {
    exchange: async (outbound, omit, signal) =>
      postAs(options.fetch, credential, {
        url: `${models}/${methodFor(outbound)}`,
        headers: headersFor(outbound, omit),
        body: cloudBody(outbound, omit, bodyChange(outbound)),
        signal,
      }),
    eventReader: createSseReader,
  };
}

/** https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude */
function defaultBase(region: string): string {
  switch (region) {
    case "global":
      return "https://aiplatform.googleapis.com/v1";
    case "us":
    case "eu":
      return `https://aiplatform.${region}.rep.googleapis.com/v1`;
    default:
      return `https://${region}-aiplatform.googleapis.com/v1`;
  }
}

function methodFor({ path, call, upstreamModel }: OutboundCall): string {
  if (path === "/v1/messages/count_tokens") return "count-tokens:rawPredict";
  // One segment whatever is in it; `@` stands before a model's version and stays as Google writes it.
  const id = encodeURIComponent(upstreamModel).replaceAll("%40", "@");
  return `${id}:${call.stream ? "streamRawPredict" : "rawPredict"}`;
}

/** Counting has no model in its path. */
function bodyChange({ path, call, upstreamModel }: OutboundCall): BodyChange {
  const version = ["anthropic_version", anthropicVersion(call, apiVersion)] as const;
  return path === "/v1/messages/count_tokens"
    ? { drop: ["tags"], set: [["model", JSON.stringify(upstreamModel)], version] }
    : { drop: ["model", "tags"], set: [version] };
}
