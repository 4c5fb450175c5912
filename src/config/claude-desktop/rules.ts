// What the tables of Claude Desktop's settings cannot say: settings that depend on each other, and what is worth a warning. The
// inputs have their shape already; a part that has not is undefined and is passed over.
import { type Finding, when } from "../problems.ts";
import type { Partly } from "../pieces.ts";
import { deprecationsOf } from "./deprecated.ts";
import { managedServerProblems, notLoopback } from "./managed-mcp-rules.ts";
import type { DesktopSettings } from "./settings.ts";
import { builtinTools, unscopedTools } from "./surfaces.ts";
import { unknownKeysOf } from "./unknown-keys.ts";

type Settings = Partly<DesktopSettings>;
type Document = Readonly<Record<string, unknown>>;

/** Every broken rule; paths begin inside the document. */
export function desktopProblems(document: Document): Finding[] {
  const settings = document as Settings;
  return [
    ...unknownKeysOf(document).findings,
    ...rules.flatMap((rule) => rule(settings)),
    ...managedServerProblems(settings.managedMcpServers ?? [], ["managedMcpServers"]),
  ];
}

/** Sentences for the boot log; they begin with the setting they are about. */
export function desktopWarnings(document: Document): string[] {
  const settings = document as Settings;
  return [
    ...unknownKeysOf(document).warnings,
    ...deprecationsOf(settings),
    ...hiddenBanner(settings),
    ...unpinnedMarketplaces(settings),
  ];
}

const rules: readonly ((settings: Settings) => readonly Finding[])[] = [
  ({ banner }) => (banner?.enabled === true ? bannerProblems(banner) : []),
  ({ builtinToolPolicy }) =>
    Object.keys(builtinToolPolicy ?? {}).flatMap((rule) => {
      const message = toolRuleProblem(rule);
      return message === undefined ? [] : [{ path: ["builtinToolPolicy", rule], message }];
    }),
  ({ userContentRendererUrl }) => notLoopback(userContentRendererUrl, ["userContentRendererUrl"]),
  ({ allowedPluginMarketplaces }) =>
    (allowedPluginMarketplaces ?? []).flatMap((marketplace, index) => {
      if (marketplace === undefined) return [];
      const path = ["allowedPluginMarketplaces", index];
      const { credentialKind, credentialHelper } = marketplace;
      return [
        ...when(
          (credentialKind === "credentialHelper") !== (credentialHelper !== undefined),
          [...path, "credentialHelper"],
          "is required when credentialKind is credentialHelper, and must be left out otherwise",
        ),
        ...("url" in marketplace ? notLoopback(marketplace.url, [...path, "url"]) : []),
      ];
    }),
];

/** What of an enabled banner would keep Claude Desktop from showing it. */
function bannerProblems(banner: NonNullable<Settings["banner"]>): Finding[] {
  const { text, linkUrl } = banner;
  const isReadable = text !== undefined && text.trim() !== "" && text.length <= 200;
  return [
    ...when(
      !isReadable,
      ["banner", "text"],
      "must be text of 1 to 200 characters: every desktop would suppress this banner",
    ),
    ...(["backgroundColor", "textColor"] as const).flatMap((key) =>
      when(
        banner[key] !== undefined && !/^#[0-9A-Fa-f]{6}$/.test(banner[key]),
        ["banner", key],
        "must be a color in six hex digits, such as #F5F5F5: every desktop would suppress this banner",
      ),
    ),
    ...when(
      linkUrl !== undefined && !isPlainHttps(linkUrl),
      ["banner", "linkUrl"],
      "must be an https URL without credentials in it: every desktop would drop this link",
    ),
  ];
}

function isPlainHttps(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.username === "" && url.password === "";
}

/** Why a name in `builtinToolPolicy` would have no effect: `Bash`, or `Bash(curl *)` for some of its calls. */
function toolRuleProblem(rule: string): string | undefined {
  const [, tool = "", scope] = /^([^()]+)(\(.+\))?$/.exec(rule) ?? [];
  if (tool === "") return "is no rule: write Tool or Tool(pattern) on one line";
  if (!builtinTools.has(tool)) {
    const meant = [...builtinTools].find((name) => name.toLowerCase() === tool.toLowerCase());
    return meant === undefined
      ? "names no built-in tool"
      : `names no built-in tool; case counts: write ${meant}`;
  }
  return scope !== undefined && unscopedTools.has(tool)
    ? `${tool} takes the bare name only; hosts are the matter of coworkEgressAllowedHosts`
    : undefined;
}

function hiddenBanner({ banner }: Settings): string[] {
  return banner?.text !== undefined && banner.enabled !== true
    ? [
        "banner.text is set but the banner is not enabled, so it is shown nowhere; set banner.enabled: true if it should be",
      ]
    : [];
}

/** Claude Desktop installs by itself only what cannot change behind the operator's back. */
function unpinnedMarketplaces({ allowedPluginMarketplaces }: Settings): string[] {
  return (allowedPluginMarketplaces ?? []).flatMap((marketplace, index) => {
    if (marketplace === undefined) return [];
    const { installationPreference = "available", source, ref } = marketplace;
    if (installationPreference === "available") return [];
    const isUrl = source === "url";
    const isPinned = isUrl
      ? marketplace.manifestSha256 !== undefined
      : /^[0-9a-f]{40}$/i.test(ref ?? "");
    const needed = isUrl ? "manifestSha256" : "a full 40-character commit SHA in ref";
    return isPinned
      ? []
      : [
          `allowedPluginMarketplaces[${index}]: ${installationPreference} requires ${needed}; it is shown as available instead`,
        ];
  });
}
