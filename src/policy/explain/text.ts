// An explanation as somebody reads it in a terminal or in the log of a CI job: a heading for each question, aligned columns
// below it, no colours. What it says is found out in explain.ts.
import { printable } from "../../log.ts";
import type { Explanation } from "./explain.ts";
import type { PolicyVerdict } from "./match.ts";
import type { ModelVerdict } from "./model.ts";
import type { Source, Traced } from "./origins.ts";

/** Longest name and longest value in a column, in characters; `--json` has all of them. */
const labelLengthMax = 60;
const valueLengthMax = 90;

type Row = readonly string[];

/** Lines, each ended. */
export function explanationText(explanation: Explanation): string {
  const sections = [
    personLines(explanation),
    policyLines(explanation),
    settingsLines(explanation),
    desktopLines(explanation),
    modelsLines(explanation),
    explanation.model === null ? [] : modelLines(explanation.model),
  ];
  const lines = sections.filter((section) => section.length > 0).flatMap((one) => ["", ...one]);
  return lines
    .slice(1)
    .map((line) => `${printable(line)}\n`)
    .join("");
}

function personLines({ person: { email, groups }, signIn }: Explanation): string[] {
  const whereIn = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`;
  return [
    `${email ?? "Somebody without an e-mail address"}, ${cut(whereIn, valueLengthMax)}`,
    signIn.admitted
      ? "Sign-in: admitted"
      : `Sign-in: refused, ${signIn.why} (the rest is what would hold if it were not)`,
  ];
}

function policyLines({ policies, policy, base }: Explanation): string[] {
  if (policies.length === 0) return ["Policies: none are configured, so every model is allowed"];
  const applying =
    policy === null
      ? "none applies, so no settings are served and every model is allowed"
      : `policy ${policy} applies${base === null ? "" : `, over policy ${base}`}`;
  const rows = policies.map((verdict) => [
    `  ${verdict.index}`,
    verdict.outcome === "laid under" ? `under ${policy}` : verdict.outcome,
    demand(verdict),
  ]);
  return [`Policies: ${applying}`, ...aligned(rows)];
}

/** What decided it: of a policy that does not fit what is not met, of others all that they ask for. */
function demand({ outcome, asksFor, unmet, misspelt }: PolicyVerdict): string {
  if (asksFor.length === 0) return "is for everybody";
  const doesFit = outcome !== "does not fit";
  const demands = cut((doesFit ? asksFor : unmet).join(" and "), valueLengthMax);
  if (doesFit) {
    const isOvertaken = unmet.length === 0 && outcome !== "applies";
    return demands + (isOvertaken ? " (which fits, too)" : "");
  }
  return demands + (misspelt.length === 0 ? "" : ` (spelled differently: ${misspelt.join(", ")})`);
}

function settingsLines(explanation: Explanation): string[] {
  const { served, under, reachesDesktop, keys } = explanation.settings;
  if (!served) return ["Settings of Claude Code: none are served"];
  const isEmpty = Object.keys(keys).length === 0;
  const why =
    under === "cli" || under === "settings"
      ? `they are under ${under}`
      : "no policy's, the gateway's own";
  const reach = reachesDesktop
    ? "served everywhere, Claude Desktop included"
    : `served everywhere but in Claude Desktop (${why})`;
  return [
    `Settings of Claude Code: ${isEmpty ? "served, and empty" : reach}`,
    ...partLines(keys, explanation),
  ];
}

function desktopLines(explanation: Explanation): string[] {
  const { why, keys } = explanation.desktop;
  const reasons = {
    not_configured: "not configured, as no policy has a desktop block",
    no_policy_matched: "not configured, as no policy applies",
    policy_not_opted_in: `not configured, as policy ${explanation.policy} has no desktop block`,
  };
  const isEmpty = Object.keys(keys).length === 0;
  const configured = isEmpty ? "configured, with nothing but what the gateway adds" : "configured";
  return [
    `Claude Desktop: ${why === null ? configured : reasons[why]}`,
    ...partLines(keys, explanation),
  ];
}

function modelsLines(explanation: Explanation): string[] {
  const { listed, servable, availableModels, deniedModels } = explanation.models;
  if (servable === 0) return ["Models: none, as no upstream serves this person any"];
  const lists = { availableModels, deniedModels };
  const rules = Object.entries(lists).flatMap(([name, from]) =>
    from === null ? [] : [`${name} of ${named(from, explanation)}`],
  );
  const by = rules.length === 0 ? "" : `, by ${rules.join(" and ")}`;
  const some = `${listed.length === 0 ? "none" : listed.length} of ${servable}`;
  const count = listed.length === servable ? `all ${servable}` : some;
  return [`Models: ${count}${by}`, ...joined(listed).map((line) => `  ${line}`)];
}

function modelLines({ id, allowed, refusal, routes, unused }: ModelVerdict): string[] {
  const verdict = routes.length > 0 ? "allowed, and sent to" : "allowed, but no upstream is left";
  const sent = routes.map(({ place, upstream, provider, upstreamModel, share }) => [
    `  ${place}`,
    upstream,
    provider,
    `${upstreamModel}${share === 1 ? "" : ` (${Math.round(share * 100)}% of requests)`}`,
  ]);
  const passedOver = unused.map(({ upstream, provider, why }) => [
    "  -",
    upstream,
    provider,
    `not used: ${why}`,
  ]);
  return [
    `Model ${id}: ${allowed ? verdict : "refused; the client reads"}`,
    ...(refusal === null ? [] : [`  ${refusal}`]),
    ...aligned([...sent, ...passedOver]),
  ];
}

/** Name, origin and value of every part; of a list that is united, the entries of one origin together. */
function partLines(keys: Readonly<Record<string, Traced>>, explanation: Explanation): string[] {
  return aligned(Object.entries(keys).flatMap(([name, part]) => rowsOf(`  ${name}`, part)));

  function rowsOf(name: string, part: Traced): Row[] {
    if ("members" in part) {
      const members = Object.entries(part.members);
      if (members.length === 0) return [[name, named(part.from, explanation), "(nothing)"]];
      return members.flatMap(([member, inner]) => rowsOf(`${name}.${member}`, inner));
    }
    if ("value" in part) {
      const overruled =
        part.overruled === undefined ? "" : ` over ${named(part.overruled, explanation)}`;
      return rowsOfValue(name, named(part.from, explanation) + overruled, part.value);
    }
    if (part.entries.length === 0) return rowsOfValue(name, named(part.from, explanation), []);
    const byOrigin = Map.groupBy(part.entries, ({ from }) => named(from, explanation));
    return [...byOrigin].flatMap(([origin, entries]) =>
      rowsOfValue(
        name,
        origin,
        entries.map(({ value }) => value),
      ),
    );
  }

  function rowsOfValue(name: string, origin: string, value: unknown): Row[] {
    const isList = Array.isArray(value) && value.length > 0;
    const texts = isList ? value.map(asText) : [asText(value)];
    const lines = joined(texts.map((text) => cut(text, valueLengthMax)));
    const label = cut(name, labelLengthMax);
    return lines.map((line, index) => (index === 0 ? [label, origin, line] : ["", "", line]));
  }
}

/** Sources in a word or two. */
function named(from: readonly Source[], { policy }: Pick<Explanation, "policy">): string {
  const names = { gateway: "gateway", base: "catch-all", policy: `policy ${policy}` };
  if (from.join() === "base,policy") return "both";
  return from.map((source) => names[source]).join(" and ");
}

/** Text as it is, lists with commas, all else as JSON. */
function asText(value: unknown): string {
  if (value === "") return "(empty text)";
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return JSON.stringify(value);
  return value.length === 0 ? "(empty list)" : value.map(asText).join(", ");
}

/** Every column as wide as its widest cell, the last one as it is. */
function aligned(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, cell.length)));
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** A list with commas, in as many lines as it needs. */
function joined(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.pop();
    if (last === undefined) lines.push(item);
    else if (last.length + item.length + 3 > valueLengthMax) lines.push(`${last},`, item);
    else lines.push(`${last}, ${item}`);
  }
  return lines;
}

function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}
