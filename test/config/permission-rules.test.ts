// Which texts are permission rules, in each of the lists that hold them.
import { describe, expect, test } from "bun:test";
import { saidOf } from "./claude-code-samples.ts";

const refusedRules = [
  "",
  " ",
  "bash",
  "mcp",
  "Bash(",
  "Bash)",
  "Bash()",
  "Bash(ls)x",
  "Bash(a\\)",
  "Bash(:*)",
  "Read(src:*)",
  "Edit(a:*b)",
  "WebFetch(example.com)",
  "WebFetch(https://example.com)",
  "WebFetch(domain:https://example.com)",
  "WebSearch(claude*)",
  "mcp__github(x)",
];
const takenRules = [
  "Bash",
  "Bash(*)",
  "Bash(ls:*)",
  "Bash((a) b)",
  "Bash(a\\\\)",
  "WebFetch",
  "WebFetch(*)",
  "WebSearch(claude code)",
  "mcp__github",
  "mcp__github__*",
  "Anything(new)",
];
const wildcardTools = ["*", "Web*", "mcp__*", "mcp__git*__get"];

describe("permission rules:", () => {
  const lists = ["allow", "ask", "deny"];
  const areSaid = (list: string, rule: string) =>
    saidOf({ permissions: { [list]: [rule] } }).length;
  test.each(refusedRules)("%j is none", (rule) => {
    expect(lists.map((list) => areSaid(list, rule))).toEqual([1, 1, 1]);
  });
  test.each(takenRules)("%j is one", (rule) => {
    expect(lists.map((list) => areSaid(list, rule))).toEqual([0, 0, 0]);
  });
  test.each(wildcardTools)("%j may deny and ask, but not allow", (rule) => {
    expect(lists.map((list) => areSaid(list, rule))).toEqual([1, 0, 0]);
  });
});
