// Settings of Claude Code 2.1.330 for models: which may be chosen, how they are shown, what they cost. From public
// documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open } from "../pieces.ts";
import { aFlag, anything, aText, oneOf, texts } from "./kinds.ts";

/** USD per million tokens. */
const rate = Type.Number({ minimum: 0, maximum: 10_000, description: "a number from 0 to 10000" });

const rates = Type.Object({ input: rate, output: rate, cacheRead: rate, cacheWrite: rate }, open);

export const modelKeys = {
  model: aText,
  advisorModel: aText,
  fallbackModel: texts,
  availableModels: texts,
  availableModelsMatch: oneOf("prefix", "exact"),
  deniedModels: texts,
  enforceAvailableModels: aFlag,
  /** The client's model id to the provider's. */
  modelOverrides: Type.Optional(Type.Record(Type.String(), Type.String())),
  modelPicker: Type.Optional(
    Type.Object(
      {
        options: Type.Array(
          Type.Object({ model: Type.String(), label: aText, description: aText }, open),
        ),
      },
      open,
    ),
  ),
  /** What clients reckon their cost with. The gateway fills this in where a policy does not. */
  modelPricing: Type.Optional(
    Type.Object(
      {
        multiplier: Type.Optional(
          Type.Number({
            exclusiveMinimum: 0,
            maximum: 10,
            description: "a number greater than 0, at most 10",
          }),
        ),
        overrides: Type.Optional(Type.Record(Type.String(), rates)),
      },
      open,
    ),
  ),
  modelSettings: anything,
  effortLevel: anything,
  maxEffortLevel: anything,
  promptCacheTtl: anything,
  subagentPromptCacheTtl: anything,
  ultracode: anything,
  alwaysThinkingEnabled: aFlag,
  showThinkingSummaries: aFlag,
  switchModelsOnFlag: aFlag,
  fastMode: aFlag,
  fastModePerSessionOptIn: aFlag,
  language: aText,
  outputStyle: aText,
} as const;
