// The settings of Claude Code that a policy may hold, by theme in the files beside this one: data, no logic. Describes the client
// of version 2.1.330. Written from the public documentation and from what a gateway of that version was seen to accept and to
// refuse; where it is lenient, so is this table. A mapping inside a document keeps what it holds beside the keys named here;
// the document itself, and `hooks`, do not.
import { Type } from "@sinclair/typebox";
import { closed } from "../pieces.ts";
import { administrationKeys, gatedSettings } from "./administration.ts";
import { hookKeys } from "./hooks.ts";
import { interfaceKeys } from "./interface.ts";
import { aText } from "./kinds.ts";
import { marketplaceKeys } from "./marketplaces.ts";
import { mcpServerKeys } from "./mcp-servers.ts";
import { modelKeys } from "./models.ts";
import { permissionKeys } from "./permissions.ts";
import { pluginKeys } from "./plugins.ts";
import { sandbox } from "./sandbox.ts";
import { sessionKeys } from "./sessions.ts";

/** Version of Claude Code whose settings these are. */
export const describedVersion = "2.1.330";

export const claudeCodeSettings = Type.Object(
  {
    $schema: aText,
    ...modelKeys,
    ...permissionKeys,
    sandbox: Type.Optional(sandbox),
    ...hookKeys,
    ...mcpServerKeys,
    ...pluginKeys,
    ...marketplaceKeys,
    ...interfaceKeys,
    ...sessionKeys,
    ...administrationKeys,
    ...gatedSettings.CLAUDE_CODE_ENABLE_XAA,
  },
  {
    ...closed,
    verbatim: true,
    whenUnknown: `no setting of Claude Code ${describedVersion}, which this gateway was made for; fix the spelling, or upgrade the gateway if a newer Claude Code has it`,
  },
);
