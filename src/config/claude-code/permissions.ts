// Settings of Claude Code 2.1.330 for what tools may do unasked: rules, permission modes, auto mode. From public documentation
// and observed answers.
import { Type } from "@sinclair/typebox";
import { open, words } from "../pieces.ts";
import { aFlag, texts } from "./kinds.ts";

/** What a permission rule is not. Each is looked for at the start of the rule. */
const mistakes = [
  // nothing but blanks
  "\\s*$",
  // a tool in lower case; only MCP tools are
  "(?!mcp__)[a-zµß-öø-ÿ]",
  // parentheses around nothing
  "[^(]*\\(\\)$",
  // MCP tools are named whole, without parentheses
  "mcp__[^(]*\\(",
  // WebFetch takes domain:host or *, no URL
  "WebFetch\\((?!\\*\\)$|domain:(?![^]*://))",
  // a search has no wildcard in it
  "WebSearch\\((?!\\*\\)$)[^]*[*?]",
  // a prefix of nothing
  "Bash\\(:\\*\\)$",
  // prefixes are for commands; files have patterns
  "(?:Cd|Edit|Glob|NotebookEdit|NotebookRead|Read|Write)\\([^]*:\\*",
]
  .map((mistake) => `(?!${mistake})`)
  .join("");

/** A tool, then perhaps parentheses to the very end; what is escaped counts as neither. */
const toolAndContent = "(?:[^()\\\\]|\\\\[^]|\\\\$)*(?:\\((?:[^\\\\]|\\\\[^])+\\))?$";

/** Only what stands behind a server's name may be a wildcard: `mcp__github__get_*`. */
const wildcardTool = "(?!(?!mcp__[^*()]+?__)[^(]*\\*)";

const ruleExamples = "Bash(npm *), Edit(src/**), WebFetch(domain:example.com), mcp__server__tool";

const rule = Type.String({
  pattern: `^${mistakes}${toolAndContent}`,
  description: `a permission rule, Tool or Tool(content), for example ${ruleExamples}`,
});

const allowRule = Type.String({
  pattern: `^${mistakes}${wildcardTool}${toolAndContent}`,
  description: `a permission rule, Tool or Tool(content), for example ${ruleExamples}; a wildcard in the tool's name only as in mcp__server__get_*`,
});

const permissions = Type.Object(
  {
    allow: Type.Optional(Type.Array(allowRule)),
    ask: Type.Optional(Type.Array(rule)),
    deny: Type.Optional(Type.Array(rule)),
    additionalDirectories: texts,
    blockReadsOutsideWorkingDirectories: aFlag,
    defaultMode: Type.Optional(
      words("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "manual", "plan"),
    ),
    disableAutoMode: Type.Optional(Type.Literal("disable")),
    disableBypassPermissionsMode: Type.Optional(Type.Literal("disable")),
  },
  open,
);

export const permissionKeys = {
  permissions: Type.Optional(permissions),
  allowManagedPermissionRulesOnly: aFlag,
  /** Rules in prose for the classifier of auto mode. */
  autoMode: Type.Optional(
    Type.Object(
      {
        allow: texts,
        soft_deny: texts,
        hard_deny: texts,
        environment: texts,
        classifyAllShell: aFlag,
      },
      open,
    ),
  ),
  disableAutoMode: Type.Optional(Type.Literal("disable")),
  useAutoModeDuringPlan: aFlag,
  skipAutoPermissionPrompt: aFlag,
  skipDangerousModePermissionPrompt: aFlag,
} as const;
