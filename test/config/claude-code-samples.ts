// What the tests of Claude Code's settings documents share.
import { edited, said } from "./samples.ts";

export type Document = Record<string, unknown>;

/** What is said of a document, as `path → message`, each path from the document on. */
export function saidOf(code: unknown): string[] {
  const lines = said(edited((config) => (config.managed = { policies: [{ code }] })));
  return lines.map((line) => line.replaceAll("managed.policies[0].code.", ""));
}

export const command = { type: "command", command: "/usr/local/bin/check" };
export const https = "https://mcp.example.com/";
