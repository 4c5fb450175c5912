// What a `desktop` document may hold: the settings of Claude Desktop by their flat names. Data only; it describes Claude Code
// 2.1.330 and was written from public documentation and observed answers. What a shape cannot say is in rules.ts.
import { type Static, Type } from "@sinclair/typebox";
import { open } from "../pieces.ts";
import { applicationSettings } from "./application.ts";
import { pluginSettings } from "./plugins.ts";
import { refusedKeys } from "./refused-keys.ts";
import { surfaceSettings } from "./surfaces.ts";

/** Settings that may be written. */
export const writableSettings = {
  ...applicationSettings,
  ...surfaceSettings,
  ...pluginSettings,
} as const;

/** A newer Claude Desktop may know keys that are not here: they are kept, and rules.ts warns of them. */
export const claudeDesktopSettings = Type.Object({ ...writableSettings, ...refusedKeys }, open);

const writable = Type.Object(writableSettings);
/** The settings of a document that has its shape. */
export type DesktopSettings = Static<typeof writable>;
