// Settings of Claude Code 2.1.330 for what developers see and type: the terminal, its status line, notifications, voice. From
// public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { flag, open, words } from "../pieces.ts";
import { aFlag, anything, aText, oneOf, texts } from "./kinds.ts";

const byCommand = { type: Type.Literal("command"), command: Type.String() };

export const interfaceKeys = {
  statusLine: Type.Optional(
    Type.Object(
      { ...byCommand, padding: Type.Optional(Type.Number()), hideVimModeIndicator: aFlag },
      open,
    ),
  ),
  subagentStatusLine: anything,
  fileSuggestion: Type.Optional(Type.Object(byCommand, open)),
  footerLinksRegexes: anything,
  companyAnnouncements: texts,
  prUrlTemplate: aText,
  theme: anything,
  tui: oneOf("default", "fullscreen"),
  viewMode: anything,
  verbose: aFlag,
  maxProseWidth: anything,
  timeFormat: aText,
  timeZone: aText,
  syntaxHighlightingDisabled: aFlag,
  prefersReducedMotion: aFlag,
  axScreenReader: aFlag,
  autoScrollEnabled: aFlag,
  wheelScrollAccelerationEnabled: aFlag,
  terminalProgressBarEnabled: aFlag,
  terminalTitleFromRename: aFlag,
  showTurnDuration: aFlag,
  showClearContextOnPlanAccept: aFlag,
  spinnerTipsEnabled: aFlag,
  spinnerTipsOverride: anything,
  spinnerVerbs: Type.Optional(
    Type.Object({ mode: words("append", "replace"), verbs: Type.Array(Type.String()) }, open),
  ),
  // typing
  editorMode: anything,
  vimInsertModeRemaps: anything,
  keybindingFlavor: anything,
  spellcheck: anything,
  promptSuggestionEnabled: aFlag,
  emojiCompletionEnabled: aFlag,
  respectGitignore: aFlag,
  voice: Type.Optional(
    Type.Object({ enabled: aFlag, mode: oneOf("hold", "tap"), autoSubmit: aFlag }, open),
  ),
  voiceEnabled: aFlag,
  // shell commands a developer types
  defaultShell: oneOf("bash", "powershell"),
  respondToBashCommands: aFlag,
  bashEditDiffEnabled: aFlag,
  // questions and notices
  askUserQuestionTimeout: anything,
  dialogExpiry: anything,
  autoContinueAtUsageLimit: aFlag,
  preferredNotifChannel: anything,
  inputNeededNotifEnabled: aFlag,
  agentPushNotifEnabled: aFlag,
  awaySummaryEnabled: aFlag,
  // commits and pull requests
  attribution: Type.Optional(
    Type.Union([flag, Type.Object({ commit: aText, pr: aText, sessionUrl: aFlag }, open)]),
  ),
  attributionProject: aText,
  includeCoAuthoredBy: aFlag,
  includeGitInstructions: aFlag,
} as const;
