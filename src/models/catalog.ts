// The Claude models that need no entry in `models:`, and what each provider calls them. Data only, as of November 2026;
// who may use which of them, and where a call goes, is in resolve.ts.

export type CatalogModel = {
  /** The id of the Anthropic API and of Claude Platform on AWS. */
  readonly id: string;
  /** Without its geography, which the region decides: `us.`, or none. */
  readonly bedrock: string;
  readonly vertex: string;
  /** Also the id without its date, where it has one. */
  readonly foundry: string;
  /** On Amazon Bedrock's Messages endpoint; absent where that does not offer the model. */
  readonly mantle?: string;
  /** On Anthropic's own platform on Google Cloud; absent where that does not offer the model. */
  readonly anthropicGoogleCloud?: string;
  /** Context window in tokens, where one number is true for every account and request. */
  readonly max_input_tokens?: number;
  /** Has a context of a million tokens, on every provider, when the client asks for it. */
  readonly long_context?: true;
  /** Still routed by its id, no longer offered by `GET /v1/models`. */
  readonly retired?: true;
};

/** In the order of `GET /v1/models`. */
export const catalog: readonly CatalogModel[] = [
  {
    ...onGoogleCloud(undated("claude-opus-4-6")),
    bedrock: "anthropic.claude-opus-4-6-v1",
    long_context: true,
  },
  onGoogleCloud(dated("claude-sonnet-4-5", "20250929")),
  {
    ...onMantle(onGoogleCloud(dated("claude-haiku-4-5", "20251001"))),
    max_input_tokens: 200_000,
  },
  current("claude-fable-5-2"),
  current("claude-fable-5-1"),
  current("claude-fable-5"),
  current("claude-opus-5-5"),
  current("claude-opus-5"),
  current("claude-opus-4-8"),
  current("claude-opus-4-7"),
  { ...dated("claude-opus-4-1", "20250805"), max_input_tokens: 200_000 },
  current("claude-sonnet-5-5"),
  current("claude-sonnet-5"),
  { ...onGoogleCloud(undated("claude-sonnet-4-6")), long_context: true },
  current("claude-haiku-5-5"),
  { ...dated("claude-opus-4-5", "20251101"), max_input_tokens: 200_000, retired: true },
  { ...dated("claude-opus-4", "20250514"), max_input_tokens: 200_000, retired: true },
  { ...dated("claude-sonnet-4", "20250514"), retired: true },
  { ...dated("claude-3-7-sonnet", "20250219"), retired: true },
  {
    ...dated("claude-3-5-sonnet", "20241022"),
    bedrock: "anthropic.claude-3-5-sonnet-20241022-v2:0",
    vertex: "claude-3-5-sonnet-v2@20241022",
    retired: true,
  },
  { ...dated("claude-3-5-haiku", "20241022"), retired: true },
];

/** A model of today: on every provider, with a context of a million tokens. */
function current(name: string): CatalogModel {
  return {
    ...onMantle(onGoogleCloud(undated(name))),
    max_input_tokens: 1_000_000,
    long_context: true,
  };
}

function onMantle(model: CatalogModel): CatalogModel {
  return { ...model, mantle: `anthropic.${model.foundry}` };
}

function onGoogleCloud(model: CatalogModel): CatalogModel {
  return { ...model, anthropicGoogleCloud: model.id };
}

/** Ids of the models up to the 4.5 family: each provider writes the date in its own way. */
function dated(name: string, date: string): CatalogModel {
  return {
    id: `${name}-${date}`,
    bedrock: `anthropic.${name}-${date}-v1:0`,
    vertex: `${name}@${date}`,
    foundry: name,
  };
}

/** Ids of the models since then: one name everywhere, behind `anthropic.` on Bedrock. */
function undated(name: string): CatalogModel {
  return { id: name, bedrock: `anthropic.${name}`, vertex: name, foundry: name };
}
