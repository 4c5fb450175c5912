// Amazon Bedrock's CountTokens: an InvokeModel body in Base64, for models of Bedrock's own only and not in every region. Where
// it does not work the answer is 501, and whoever asked counts in a way of their own.
import { log, messageOf } from "../../log.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { refusesKeys, sendSigned } from "./post.ts";
import type { AwsSigner } from "./signing.ts";
import { countBody } from "./bedrock-body.ts";
import { readAtMost } from "../answer/body.ts";
import { cloudHeaders } from "../request/cloud-request.ts";
import { type Exchange, UnsupportedCallError } from "../exchange.ts";
import { withoutCredentials } from "../answer/redaction.ts";
import { messageIn } from "../answer/error-message.ts";

/** How long a count may take, in milliseconds: clients ask for it in passing, and have another way. */
const timeoutMs = 10_000;

/** How long a model whose count was refused is not asked again, in milliseconds. */
const refusalKeptMs = 10 * 60_000;

/** Models of which a refusal is kept. More are not configured anywhere. */
const refusalsMax = 1_000;

/** As much of a refusal's body as is read, in bytes. */
const refusalBytesMax = 64 * 1024;

const notAvailable = "count_tokens is not available on this Bedrock upstream";

/**
 * @param options.base of the region's endpoint, without a slash at the end.
 * @param options.fixed `headers:` of the upstream. A guardrail is for inference only.
 */
export function createBedrockCount(
  options: UpstreamOptions & {
    base: string;
    name: string;
    fixed: Readonly<Record<string, string>>;
    sign: AwsSigner;
  },
): { exchange: Exchange; readJson: (body: Uint8Array) => Uint8Array } {
  const { base, name, sign, now } = options;
  const refusedUntilMs = new Map<string, number>();

  const exchange: Exchange = async (outbound, omit, signal) => {
    const model = bareId(outbound.upstreamModel);
    // An ARN names an inference profile of the organisation's own, which CountTokens does not take.
    if (model.startsWith("arn:") || now() < (refusedUntilMs.get(model) ?? 0))
      throw new UnsupportedCallError(notAvailable);
    const where = `count_tokens request_id=${outbound.requestId}: ${name}: ${model}`;
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const request = {
        url: new URL(`${base}/model/${encodeURIComponent(model)}/count-tokens`),
        headers: cloudHeaders(outbound, options),
        body: countBody(outbound, omit),
      };
      const answer = await sendSigned(
        options.fetch,
        sign,
        request,
        outbound,
        AbortSignal.any([signal, late]),
      );
      if (answer.ok) return answer;
      await refused(answer, model, where);
    } catch (error) {
      if (!late.aborted) throw error;
      log.warn(`${where}: no answer within ${timeoutMs / 1000} s; not counted`);
    }
    throw new UnsupportedCallError(notAvailable);
  };

  async function refused(answer: Response, model: string, where: string): Promise<void> {
    const { status } = answer;
    const text = await textOf(answer);
    log.debug(`${where}: ${status} ${withoutCredentials(text)}`);
    if (!isLasting(answer, text)) return log.warn(`${where}: ${status}; not counted`);
    refusedUntilMs.delete(model);
    if (refusedUntilMs.size >= refusalsMax) {
      refusedUntilMs.delete(refusedUntilMs.keys().next().value ?? "");
    }
    refusedUntilMs.set(model, now() + refusalKeptMs);
    log.warn(
      `${where}: ${status}; not counted, and not asked again for 10 minutes. Clients count with a billed request meanwhile. ` +
        "Does the role have bedrock:CountTokens, and does the region offer it for this model? AWS's text is logged at debug level.",
    );
  }

  return { exchange, readJson };
}

/**
 * Whether a refusal is about the model or the role. One that is about this request (`prompt is too long: …`) or this moment
 * must not be kept: with it any developer could switch counting off for all.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
 */
function isLasting(answer: Response, text: string): boolean {
  const { status } = answer;
  if (status === 400) return (messageIn(text) ?? "").startsWith("The provided model ");
  return status === 404 || (status === 403 && !refusesKeys(answer));
}

/** `{"inputTokens":17}` as the Messages API writes it. */
function readJson(body: Uint8Array): Uint8Array {
  const { inputTokens } = JSON.parse(Buffer.from(body).toString()) as { inputTokens?: unknown };
  if (typeof inputTokens !== "number") throw new Error("its answer has no inputTokens");
  return Buffer.from(JSON.stringify({ input_tokens: inputTokens }));
}

/** The model's own id, without the geography of an inference profile: `us.anthropic.…` → `anthropic.…`. */
function bareId(id: string): string {
  return id.replace(/^[a-z-]+\.(?=anthropic\.)/, "");
}

async function textOf(answer: Response): Promise<string> {
  try {
    return Buffer.from((await readAtMost(answer, refusalBytesMax)).bytes).toString();
  } catch (error) {
    return messageOf(error);
  }
}
