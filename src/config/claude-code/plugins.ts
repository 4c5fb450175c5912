// Settings of Claude Code 2.1.330 for plugins, skills and channels; marketplaces.ts says where plugins come from. From public
// documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { flag, open, words } from "../pieces.ts";
import { aFlag, anything, aText } from "./kinds.ts";

/** Answers to what a plugin asks when it is set up. */
const answers = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), flag, Type.Array(Type.String())], {
    description: "text, a number, true or false, or a list of texts",
  }),
);

export const pluginKeys = {
  /** `name@marketplace` to whether it is on, or to the versions that are. */
  enabledPlugins: Type.Optional(
    Type.Record(Type.String(), Type.Union([flag, Type.Array(Type.String())])),
  ),
  pluginConfigs: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object(
        {
          options: Type.Optional(answers),
          mcpServers: Type.Optional(Type.Record(Type.String(), answers)),
        },
        open,
      ),
    ),
  ),
  prependPlugins: anything,
  appendPlugins: anything,
  pluginTrustMessage: aText,
  disableCommandPluginSources: aFlag,
  /** `true`, or which surfaces: skills, agents, hooks, mcp. */
  strictPluginOnlyCustomization: Type.Optional(
    Type.Union([flag, Type.Array(Type.Unknown()), Type.Null()], {
      description: "true, false or a list of surfaces",
    }),
  ),
  syncClaudeAiPlugins: aFlag,
  syncClaudeAiSkills: aFlag,
  skillOverrides: Type.Optional(
    Type.Record(Type.String(), words("on", "name-only", "user-invocable-only", "off")),
  ),
  disableBundledSkills: aFlag,
  disableSkillShellExecution: aFlag,
  disableSideloadFlags: aFlag,
  channelsEnabled: aFlag,
  allowedChannelPlugins: Type.Optional(
    Type.Array(Type.Object({ marketplace: Type.String(), plugin: Type.String() }, open)),
  ),
} as const;
