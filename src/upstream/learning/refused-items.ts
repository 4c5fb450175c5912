// What an upstream's 400 complains of, when it is one beta or one top-level body field that it does not know: which texts say
// that, and which items may ever be left out. What is then sent again, and what is remembered, is in compatibility.ts.
import { betasSent } from "../request/betas.ts";
import { requestTagsBeta } from "../request/cloud-request.ts";
import { membersNamed } from "../request/edit.ts";
import type { Omissions } from "../exchange.ts";
import type { OutboundCall } from "../upstream.ts";

export type Item = { readonly kind: "beta" | "field"; readonly name: string };

/**
 * The items that a refusal names, if the request as it was sent carried every one of them and all may be left out; else none,
 * since a request that is still refused would gain nothing.
 *
 * @param message of a 400 (`messageIn`).
 * @param omit what had been left out of that request.
 */
export function refusedItems(message: string, outbound: OutboundCall, omit: Omissions): Item[] {
  const betas = betasSent(outbound, omit.betas);
  const carries = ({ kind, name }: Item) =>
    kind === "beta"
      ? betas.includes(name)
      : !omit.fields.has(name) && membersNamed(outbound.call, new Set([name])).length === 1;

  const named = itemsNamed(message, betas);
  if (!named.every((item) => mayBeLeftOut(item) && carries(item))) return [];
  const isTags = ({ name }: Item) => name === "tags" || name === requestTagsBeta;
  return named.some(isTags)
    ? [...named.filter((item) => !isTags(item)), ...tagsAndBeta.filter(carries)]
    : named;
}

/** One means nothing without the other: the field is refused without its beta. */
const tagsAndBeta: readonly Item[] = [
  { kind: "field", name: "tags" },
  { kind: "beta", name: requestTagsBeta },
];

/*
 * The texts, each the beginning or the whole of a message: a prompt that is quoted further on in another message is not taken
 * for one. A complaint about a part of a field (`output_config.effort: Extra inputs…`, `tools.3.custom.defer_loading: …`)
 * is none about the field, which has other parts that were asked for.
 */

/** Before any of the others; Amazon Bedrock. */
const modelSaid = /^The model returned the following errors: /;
/** Google Cloud and Anthropic: every unknown value, between backticks. */
const betasInHeader =
  /^Unexpected value\(s\) (`[^`]+`(?:, `[^`]+`)*) for the `anthropic-beta` header/;
/** Amazon Bedrock, and what stands before it. Which one is not said. */
const someBeta = /^invalid beta flag\.?$/i;
/** Anthropic's models wherever they are hosted. */
const extraField = /^([a-z_]{1,20}): Extra inputs are not permitted\.?$/;
/** Amazon Bedrock's own check, for older models: one or more keys. */
const extraneousKeys =
  /^Malformed input request: ((?:#: extraneous key \[[a-z_]{1,20}\] is not permitted)+), please reformat/;

function itemsNamed(message: string, betas: readonly string[]): Item[] {
  const text = message.replace(modelSaid, "");
  if (someBeta.test(text)) return betas.length === 1 ? items("beta", betas) : [];
  const listed = betasInHeader.exec(text)?.[1];
  if (listed !== undefined) return items("beta", listed.slice(1, -1).split("`, `"));
  const keys = extraneousKeys.exec(text)?.[1];
  if (keys !== undefined) return items("field", keys.match(/(?<=\[)[a-z_]+(?=\])/g) ?? []);
  const field = extraField.exec(text)?.[1];
  return field === undefined ? [] : items("field", [field]);
}

function items(kind: Item["kind"], names: readonly string[]): Item[] {
  return [...new Set(names)].map((name) => ({ kind, name }));
}

/**
 * Fields that a request is another request without. A field that is not known here may be left out unless its name speaks of
 * one of these subjects: the operator has allowed it, and hears of it.
 */
const keptFields = new Set(
  [
    // The request itself, and the form in which the caller can read its answer.
    "model messages max_tokens stream anthropic_version anthropic_beta",
    "output_config output_format cache_control",
    // What the model is told, what it may do, and how it answers.
    "system thinking tools tool_choice mcp_servers container stop_sequences",
    "temperature top_p top_k",
    // What is safe, who is answerable for it, and where it may be processed.
    "safeguards metadata inference_geo",
    // Who pays, and at which price.
    "service_tier user_profile_id",
  ].flatMap((names) => names.split(" ")),
);
const keptSubjects =
  /system|instruct|prompt|message|tool|think|user|account|bill|budget|price|tier|residen|geo|region/;
const safetySubjects = /safe|guard|moderat|polic|priva|retention/;

/** Of our own credential, whatever the client sent. */
const credentialBetas = /^(oauth|oidc)-/;

/** What no log line has to shorten. */
const betaName = /^[A-Za-z0-9._-]{1,100}$/;

function mayBeLeftOut({ kind, name }: Item): boolean {
  if (safetySubjects.test(name)) return false;
  return kind === "field"
    ? !keptFields.has(name) && !keptSubjects.test(name)
    : betaName.test(name) && !credentialBetas.test(name);
}
