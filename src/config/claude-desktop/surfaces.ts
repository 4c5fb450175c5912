// What people may do in Claude Desktop: its tabs, tools, folders, hosts, sites and models. Data only; it describes Claude Code
// 2.1.330 and was written from public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open, text, words } from "../pieces.ts";
import {
  allowedSite,
  blockedSite,
  egressHost,
  localPath,
  optionalFlag,
  visibleText,
  wholeNumber,
} from "./values.ts";

const tabs = {
  chatTabEnabled: optionalFlag,
  chatAdvancedFileAnalysisEnabled: optionalFlag,
  coworkTabEnabled: optionalFlag,
  isClaudeCodeForDesktopEnabled: optionalFlag,
  dictationEnabled: optionalFlag,
  claudeInChromeEnabled: optionalFlag,
  scheduledTasksEnabled: optionalFlag,
  keepAwakeEnabled: optionalFlag,
} as const;

/** The tools a `builtinToolPolicy` may speak of. */
export const builtinTools: ReadonlySet<string> = new Set([
  "AskUserQuestion",
  "Bash",
  "Edit",
  "Glob",
  "Grep",
  "JavaScript",
  "NotebookEdit",
  "REPL",
  "Read",
  "SendUserMessage",
  "Skill",
  "Task",
  "TaskCreate",
  "TaskGet",
  "TaskList",
  "TaskStop",
  "TaskUpdate",
  "TodoWrite",
  "ToolSearch",
  "WebFetch",
  "WebSearch",
  "Write",
]);

/** Those of them of which a rule names the whole tool, never what it is asked to do. */
export const unscopedTools: ReadonlySet<string> = new Set(["WebFetch", "WebSearch"]);

/** What Claude may run without asking; which names may stand here is in rules.ts. */
const tools = {
  disabledBuiltinTools: Type.Optional(Type.Array(Type.String({ description: "a tool's name" }))),
  builtinToolPolicy: Type.Optional(
    Type.Record(Type.String(), words("allow", "ask", "ask-session")),
  ),
  autoModeEnabled: optionalFlag,
  disableBypassPermissionsMode: optionalFlag,
  blockReadsOutsideWorkingDirectories: optionalFlag,
  disableBundledSkills: optionalFlag,
  skillCreationEnabled: optionalFlag,
  toolSearchEnabled: optionalFlag,
  skipWebFetchPreflight: optionalFlag,
  organizationInstructions: Type.Optional(visibleText("text of 1 to 3000 characters", 3000)),
} as const;

const folder = Type.Union([
  text("a folder's path"),
  Type.Object(
    {
      path: text("a folder's path"),
      mode: Type.Optional(words("rw", "ro")),
      isDefaultSelected: optionalFlag,
    },
    open,
  ),
]);

const reach = {
  allowedWorkspaceFolders: Type.Optional(Type.Array(folder)),
  coworkEgressAllowedHosts: Type.Optional(Type.Array(egressHost)),
  coworkVmIpv6Enabled: optionalFlag,
  sshHostAllowlist: Type.Optional(Type.Array(visibleText("a host pattern"))),
  sshClientPath: Type.Optional(localPath),
  sshTransport: Type.Optional(words("auto", "system-openssh", "builtin")),
  disableWslSessions: optionalFlag,
  builtinBrowserEnabled: optionalFlag,
  builtinBrowserDefaultDomainPolicy: Type.Optional(words("allow", "block")),
  builtinBrowserAllowedDomains: Type.Optional(Type.Array(allowedSite)),
  builtinBrowserBlockedDomains: Type.Optional(Type.Array(blockedSite)),
} as const;

const dollarsPerMillion = Type.Number({
  minimum: 0,
  maximum: 10_000,
  description: "a number of US dollars per million tokens, from 0 to 10000",
});

/** What the model picker and the usage page show. The list of models is the gateway's. */
const models = {
  modelDiscoveryEnabled: optionalFlag,
  modelPrefer1mContext: optionalFlag,
  inferenceModelPricingEnabled: optionalFlag,
  inferenceModelPricingMultiplier: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: "a number greater than 0 and at most 1",
    }),
  ),
  inferenceModelPricing: Type.Optional(
    Type.Array(
      Type.Object(
        {
          name: text("a model id"),
          inputPerMtok: dollarsPerMillion,
          outputPerMtok: dollarsPerMillion,
          cacheReadPerMtok: dollarsPerMillion,
          cacheWritePerMtok: dollarsPerMillion,
        },
        open,
      ),
    ),
  ),
  inferenceMaxTokensPerWindow: Type.Optional(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
  inferenceTokenWindowHours: Type.Optional(wholeNumber(1, 720)),
} as const;

export const surfaceSettings = { ...tabs, ...tools, ...reach, ...models } as const;
