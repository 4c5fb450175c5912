// Settings of Claude Code 2.1.330 for what a session works with: its context and memory, agents, worktrees, remote and desktop
// sessions. From public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open } from "../pieces.ts";
import { aFlag, anyMapping, anything, aText, oneOf, texts, wholeNumber } from "./kinds.ts";

export const sessionKeys = {
  /** Environment variables of every session; clients judge the values. */
  env: Type.Optional(anyMapping),
  // context and memory
  claudeMd: aText,
  claudeMdExcludes: texts,
  autoMemoryEnabled: aFlag,
  autoMemoryDirectory: aText,
  autoCompactEnabled: aFlag,
  autoCompactWindow: anything,
  fileCheckpointingEnabled: aFlag,
  plansDirectory: aText,
  skillListingMaxDescChars: Type.Optional(wholeNumber(1)),
  skillListingBudgetFraction: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: "a number greater than 0, at most 1",
    }),
  ),
  bashOutputMaxChars: anything,
  taskOutputMaxChars: anything,
  // agents
  agent: aText,
  teammateMode: anything,
  crossSessionInbound: oneOf("accept", "hold", "refuse"),
  disableAgentView: aFlag,
  isolatePeerMachines: aFlag,
  processWrapper: aText,
  worktree: Type.Optional(
    Type.Object(
      {
        baseRef: oneOf("fresh", "head"),
        bgIsolation: anything,
        sparsePaths: texts,
        symlinkDirectories: texts,
      },
      open,
    ),
  ),
  // elsewhere than in the terminal
  remote: Type.Optional(Type.Object({ defaultEnvironmentId: aText }, open)),
  /** No public page describes it. */
  remoteControl: Type.Optional(anyMapping),
  remoteControlAtStartup: aFlag,
  disableRemoteControl: aFlag,
  disableDeepLinkRegistration: Type.Optional(Type.Literal("disable")),
  enableArtifact: aFlag,
  disableArtifact: aFlag,
  sshConfigs: Type.Optional(
    Type.Array(
      Type.Object(
        {
          id: Type.String(),
          name: Type.String(),
          sshHost: Type.String(),
          sshPort: Type.Optional(Type.Integer({ description: "a whole number" })),
          sshIdentityFile: aText,
          startDirectory: aText,
        },
        open,
      ),
    ),
  ),
} as const;
