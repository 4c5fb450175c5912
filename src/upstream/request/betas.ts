// `anthropic-beta`: a comma-separated list in a header, which some providers take in the body.
import { fieldValue } from "./call.ts";
import type { OutboundCall } from "../upstream.ts";

/** The betas a request asks for, each once, in order, without those left out. */
export function betasOf(headers: Headers, without: ReadonlySet<string>): string[] {
  const asked = (headers.get("anthropic-beta") ?? "").split(",").map((beta) => beta.trim());
  return [...new Set(asked)].filter((beta) => beta !== "" && !without.has(beta));
}

/** Betas that a call asks for in its header or, as Bedrock takes them, in its body, without those left out. */
export function betasSent({ call, headers }: OutboundCall, without: ReadonlySet<string>): string[] {
  const value = fieldValue(call, "anthropic_beta");
  const inBody = (Array.isArray(value) ? value : []).filter(
    (beta) => typeof beta === "string" && !without.has(beta),
  ) as string[];
  return [...new Set([...inBody, ...betasOf(headers, without)])];
}

/** Sets the header to these betas, or takes it away when there are none. */
export function setBetas(headers: Headers, betas: readonly string[]): void {
  if (betas.length === 0) headers.delete("anthropic-beta");
  else headers.set("anthropic-beta", betas.join(","));
}
