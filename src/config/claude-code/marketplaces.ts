// Where plugins may come from, as three settings of Claude Code 2.1.330 name it: marketplaces that are added, that are allowed,
// that are blocked. From public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open, text } from "../pieces.ts";
import { aFlag, anyUrl, aText, httpsUrl, texts, textsByName } from "./kinds.ts";

const packageName = Type.String({
  pattern: "^(?:@[a-z0-9][a-z0-9-._]*/)?[a-z0-9][a-z0-9-._]*$",
  description: "the name of an npm package",
});

const anyText = Type.String();
const plainName = Type.String({
  pattern: "^[^\\u0000-\\u0020\\u007f]+$",
  description: "a name without spaces",
});
const notEmpty = text("text that is not empty");

const commitId = Type.Optional(
  Type.String({ minLength: 40, description: "the whole id of a commit" }),
);

const npmSource = Type.Object(
  {
    source: Type.Literal("npm"),
    package: packageName,
    version: aText,
    registry: Type.Optional(
      Type.String({ pattern: "^\\s*[Hh][Tt][Tt][Pp][Ss]?:", description: "an http(s) URL" }),
    ),
  },
  open,
);

/** A plugin that a policy names by itself, without a repository around it that paths could be relative to. */
const plugin = Type.Object(
  {
    name: plainName,
    source: Type.Union(
      [
        Type.Object(
          { source: Type.Literal("github"), repo: anyText, ref: aText, sha: commitId },
          open,
        ),
        Type.Object({ source: Type.Literal("git-subdir"), url: anyText, path: notEmpty }, open),
        Type.Object({ source: Type.Literal("npm"), package: anyText }, open),
        Type.Object({ source: Type.Literal("url"), url: anyText }, open),
        Type.Object({ source: Type.Literal("archive"), url: httpsUrl }, open),
        Type.Object({ source: Type.Literal("command"), command: notEmpty }, open),
      ],
      { discriminator: "source" },
    ),
    description: aText,
    version: aText,
    strict: aFlag,
  },
  open,
);

const inRepository = { ref: aText, path: aText, sparsePaths: texts, skipLfs: aFlag };

const github = (repo: typeof anyText) =>
  Type.Object({ source: Type.Literal("github"), repo, ...inRepository }, open);

const everywhere = [
  Type.Object({ source: Type.Literal("git"), url: anyText, ...inRepository }, open),
  Type.Object({ source: Type.Literal("url"), url: anyUrl, headers: textsByName }, open),
  npmSource,
  Type.Object({ source: Type.Literal("file"), path: anyText }, open),
  Type.Object({ source: Type.Literal("directory"), path: anyText }, open),
  Type.Object({ source: Type.Literal("skills-dir") }, open),
  Type.Object({ source: Type.Literal("hostPattern"), hostPattern: anyText }, open),
  Type.Object({ source: Type.Literal("pathPattern"), pathPattern: anyText }, open),
  Type.Object(
    {
      source: Type.Literal("settings"),
      name: plainName,
      plugins: Type.Array(plugin),
      owner: Type.Optional(Type.Object({ name: notEmpty }, open)),
    },
    open,
  ),
] as const;

/** In a list of what is allowed or blocked, `owner/*` stands for all repositories of an owner; no other wildcard does. */
const repositories = Type.String({
  pattern: "^(?:[^*]*|[^/*]+/\\*)$",
  description: "a repository as owner/name, or owner/*",
});

const bySource = { discriminator: "source" };

const added = Type.Object(
  {
    source: Type.Union([github(anyText), ...everywhere], bySource),
    installLocation: aText,
    autoUpdate: aFlag,
  },
  open,
);
const allowed = Type.Union([github(repositories), ...everywhere], bySource);
const blocked = Type.Union(
  [
    github(repositories),
    Type.Object({ source: Type.Literal("pluginDirectory") }, open),
    ...everywhere,
  ],
  bySource,
);

export const marketplaceKeys = {
  extraKnownMarketplaces: Type.Optional(Type.Record(Type.String(), added)),
  additionalMarketplaces: Type.Optional(Type.Record(Type.String(), added)),
  strictKnownMarketplaces: Type.Optional(Type.Array(allowed)),
  allowedMarketplaces: Type.Optional(Type.Array(allowed)),
  blockedMarketplaces: Type.Optional(Type.Array(blocked)),
  pluginSuggestionMarketplaces: texts,
} as const;

/** Two spellings of one setting: what is written under the first is served under the second. */
export const settingAliases = {
  additionalMarketplaces: "extraKnownMarketplaces",
  allowedMarketplaces: "strictKnownMarketplaces",
} as const;
