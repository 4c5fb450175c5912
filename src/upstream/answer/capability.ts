// The capability that a cloud's refusal names: what the request asked for, such as a kind of thinking, and the model or the
// cloud does not take. Claude Code acts on the word, most often by asking again without the thing. What else a refusal may say
// is in rejection.ts.

type CapabilityRule = {
  /** As Claude Code knows it. */
  readonly capability: string;
  /** Texts that name it; any of them. */
  readonly said: readonly RegExp[];
  /** Takes the rule back, wherever it is in the text. */
  readonly unless?: RegExp;
};

/**
 * The first rule that holds names the capability. Only the word leaves the gateway, so a text that is taken for another one
 * costs a retry and leaks nothing.
 *
 * The text is the upstream's, up to 64 KiB of it. Every repeat has an upper bound, so that no text takes longer than a
 * constant for each of its characters.
 */
const capabilityRules: readonly CapabilityRule[] = [
  {
    capability: "mid_conv_system",
    said: [
      /input should be \W{1,3}(?:user|assistant)\W{1,3} or \W{1,3}(?:user|assistant)\b/i,
      /\brole\s{1,3}\W{0,3}system.{0,100}not supported/is,
      /use the top-level \W{0,3}system\W{0,3} parameter for the initial system prompt/i,
      /unexpected role \W{1,3}system\W.{0,100}as an input message role/is,
    ],
  },
  {
    capability: "cache_control_field",
    said: [/cache_control.{0,100}not permitted/is],
    // Dropping the field where Claude Code can drop it would not help with these.
    unless: /\bsystem\.\d{1,6}\.|tool_result|\bttl\b/i,
  },
  {
    capability: "thinking_signature",
    said: [
      /signature\W.{0,50}thinking\W{0,3}block/is,
      /\bdata\W.{0,50}redacted_thinking\W{0,3}block/is,
      /thinking\.signature.{0,50}field required/is,
      /thinking\W{1,3}blocks?\b.{0,100}cannot be modified/is,
    ],
  },
  {
    capability: "thinking_type:enabled",
    said: [/thinking\.type\W{1,3}enabled.{0,100}not supported/is],
  },
  {
    capability: "thinking_type:adaptive",
    said: [
      /adaptive thinking is not supported/i,
      /thinking\.type\W{1,3}adaptive.{0,100}not supported/is,
    ],
  },
  {
    capability: "structured_outputs_unsupported",
    said: [/output_config\.format: extra inputs are not permitted/i],
  },
  {
    capability: "effort_unsupported",
    said: [
      /effort parameter.{0,100}not supported/is,
      /not support (?:\w{1,20} )?effort parameter/i,
      /output_config.{0,100}extra inputs are not permitted/is,
    ],
  },
  {
    capability: "image_block",
    said: [
      /image exceeds/i,
      /image dimensions exceed/i,
      /could not process image/i,
      /image does not match the provided media type/i,
      /messages\.\d{1,6}\.content\.\d{1,6}\.(?:tool_result\.content\.\d{1,6}\.)?image/i,
    ],
  },
  {
    capability: "document_block",
    said: [
      /maximum of .{0,50}pdf pages/is,
      /could not process pdf/i,
      /the pdf specified (?:is password protected|was not valid)/i,
      /messages\.\d{1,6}\.content\.\d{1,6}\.(?:tool_result\.content\.\d{1,6}\.)?document/i,
    ],
  },
  {
    capability: "prompt_too_long",
    said: [/prompt is too long|input is too long for requested model/i],
  },
  {
    capability: "max_tokens_context_overflow",
    said: [/input length and `max_tokens` exceed context limit/i],
  },
];

/**
 * The word for what the upstream did not take.
 * @param said the upstream's text, of any length.
 */
export function capabilityRejected(said: string): string | undefined {
  return capabilityRules.find((rule) => holds(rule, said))?.capability;
}

function holds({ said: texts, unless }: CapabilityRule, said: string): boolean {
  return texts.some((text) => text.test(said)) && unless?.test(said) !== true;
}
