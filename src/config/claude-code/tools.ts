// The tools that Claude Code 2.1.330 has built in, as its permission rules name them: from the public tools reference, with those
// of earlier versions, whose names still stand in rules. Tools of MCP servers and of plugins have names of their own.
import { builtinTools } from "../claude-desktop/surfaces.ts";
import { nearestOf } from "../spelling.ts";

/** Every built-in tool. Claude Desktop's are among them; it has rules for those alone. */
const knownTools: ReadonlySet<string> = new Set([
  ...builtinTools,
  // the shell, files and code
  "Cd",
  "LSP",
  "Monitor",
  "PowerShell",
  // agents and their work
  "Agent",
  "ListAgents",
  "SendMessage",
  "TaskOutput",
  "TeamCreate",
  "TeamDelete",
  "Workflow",
  // the session
  "Config",
  "EndConversation",
  "EnterPlanMode",
  "EnterWorktree",
  "ExitPlanMode",
  "ExitWorktree",
  "StructuredOutput",
  // schedules and notices
  "CronCreate",
  "CronDelete",
  "CronList",
  "PushNotification",
  "RemoteTrigger",
  "ScheduleWakeup",
  "Sleep",
  // MCP servers
  "ListMcpResourcesTool",
  "ReadMcpResourceDirTool",
  "ReadMcpResourceTool",
  "WaitForMcpServers",
  // what people are shown
  "Artifact",
  "DesignSync",
  "ReportFindings",
  "SendUserFile",
  "ShareOnboardingGuide",
  // of earlier versions
  "AgentOutputTool",
  "BashOutput",
  "KillBash",
  "KillShell",
  "LS",
  "MultiEdit",
  "NotebookRead",
  "SlashCommand",
]);

/** Whether a rule's tool may be there: one that is built in, one of an MCP server, or several by a wildcard. */
export function mayBeTool(name: string): boolean {
  const isPlain = name === name.trim();
  return knownTools.has(name) || (isPlain && /^mcp__|\*/.test(name));
}

/**
 * The tool that is meant by a name of none: spelled in another case, with a slip of the finger, or with blanks around it, which
 * no tool's name has. Of any other name nothing is known; it may be a newer tool's, or a plugin's.
 */
export function toolMeant(name: string): string | undefined {
  const plain = name.trim();
  if (mayBeTool(plain)) return plain;
  return nearestTool(plain) ?? (plain === name ? undefined : plain);
}

/** With one letter that is not the tool's, or that it lacks: further off is another tool. */
const nearestTool = nearestOf([...knownTools], 1);
