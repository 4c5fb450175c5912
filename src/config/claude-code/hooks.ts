// The `hooks` setting of Claude Code 2.1.330: what runs at which point of a session. From public documentation and observed
// answers. Of all mappings in a document this one alone has no room for keys it does not name: a hook under a misspelt event
// would silently never run.
import { Type } from "@sinclair/typebox";
import { closed, open } from "../pieces.ts";
import { aFlag, anyMapping, anyUrl, aText, oneOf, someText, texts, textsByName } from "./kinds.ts";

const everyHook = {
  /** A permission rule that says for which calls it runs. */
  if: aText,
  timeout: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, description: "a number of seconds greater than 0" }),
  ),
  statusMessage: aText,
  once: aFlag,
};

const hook = Type.Union(
  [
    Type.Object(
      {
        type: Type.Literal("command"),
        command: Type.String(),
        args: texts,
        shell: oneOf("bash", "powershell"),
        async: aFlag,
        asyncRewake: aFlag,
        rewakeMessage: someText,
        rewakeSummary: someText,
        ...everyHook,
      },
      open,
    ),
    Type.Object(
      {
        type: Type.Literal("prompt"),
        prompt: Type.String(),
        model: aText,
        continueOnBlock: aFlag,
        ...everyHook,
      },
      open,
    ),
    Type.Object(
      { type: Type.Literal("agent"), prompt: Type.String(), model: aText, ...everyHook },
      open,
    ),
    Type.Object(
      {
        type: Type.Literal("http"),
        url: anyUrl,
        headers: textsByName,
        allowedEnvVars: texts,
        ...everyHook,
      },
      open,
    ),
    Type.Object(
      {
        type: Type.Literal("mcp_tool"),
        server: Type.String(),
        tool: Type.String(),
        input: Type.Optional(anyMapping),
        ...everyHook,
      },
      open,
    ),
  ],
  { discriminator: "type" },
);

const atEvent = Type.Optional(
  Type.Array(Type.Object({ matcher: aText, hooks: Type.Array(hook) }, open)),
);

const hooks = Type.Object(
  {
    // the session
    Setup: atEvent,
    SessionStart: atEvent,
    SessionEnd: atEvent,
    InstructionsLoaded: atEvent,
    ConfigChange: atEvent,
    CwdChanged: atEvent,
    DirectoryAdded: atEvent,
    FileChanged: atEvent,
    PreCompact: atEvent,
    PostCompact: atEvent,
    WorktreeCreate: atEvent,
    WorktreeRemove: atEvent,
    // a turn
    UserPromptSubmit: atEvent,
    UserPromptExpansion: atEvent,
    MessageDisplay: atEvent,
    Notification: atEvent,
    Stop: atEvent,
    StopFailure: atEvent,
    // a tool
    PreToolUse: atEvent,
    PostToolUse: atEvent,
    PostToolUseFailure: atEvent,
    PostToolBatch: atEvent,
    PermissionRequest: atEvent,
    PermissionDenied: atEvent,
    Elicitation: atEvent,
    ElicitationResult: atEvent,
    // agents and tasks
    SubagentStart: atEvent,
    SubagentStop: atEvent,
    TeammateIdle: atEvent,
    TaskCreated: atEvent,
    TaskCompleted: atEvent,
  },
  closed,
);

export const hookKeys = {
  hooks: Type.Optional(hooks),
  allowManagedHooksOnly: aFlag,
  disableAllHooks: aFlag,
  allowedHttpHookUrls: texts,
  httpHookAllowedEnvVars: texts,
  disableWorkflows: aFlag,
  enableWorkflows: aFlag,
  workflowKeywordTriggerEnabled: aFlag,
  workflowSizeGuideline: oneOf("unrestricted", "small", "medium", "large"),
} as const;
