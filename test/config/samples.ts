// A configuration that is valid, and the ways the tests here look at one that is not.
import { describe, expect, test } from "bun:test";
import { ConfigError, type ConfigProblem } from "../../src/config/problems.ts";
import { type LoadedConfig, loadConfig, type Sources } from "../../src/config/load.ts";
import { priceKeyOf } from "../../src/models/price-overrides.ts";

/** The least that starts a gateway. Loosely typed: the tests write nonsense into it. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export function minimal(): Record<string, any> {
  return {
    listen: { public_url: "https://gateway.example" },
    oidc: { issuer: "https://idp.example", client_id: "gw", client_secret: "s3cret" },
    session: { jwt_secret: "0123456789abcdef0123456789abcdef" },
    store: { postgres_url: "postgres://gateway@db.example/gateway" },
    upstreams: [{ provider: "anthropic", auth: { api_key: "sk-test" } }],
  };
}

export type Edit = (config: ReturnType<typeof minimal>) => void;

export function edited(edit: Edit): string {
  const config = minimal();
  edit(config);
  return JSON.stringify(config, null, 2);
}

export const noSources: Sources = {
  env: {},
  modelKeyOf: priceKeyOf,
  readFile: (path) => {
    throw new Error(`ENOENT: no such file or directory, open '${path}'`);
  },
};

export function load(text: string, sources: Partial<Sources> = {}): LoadedConfig {
  return loadConfig(text, { ...noSources, ...sources });
}

/** The problems of a text that is not valid; none when it is. */
export function problemsOf(text: string, sources: Partial<Sources> = {}): readonly ConfigProblem[] {
  try {
    load(text, sources);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** `path → message` of each problem. */
export function said(text: string, sources: Partial<Sources> = {}): string[] {
  return problemsOf(text, sources).map(({ path, message }) => `${path} → ${message}`);
}

/** What is wrong, the edit that makes it so, and everything said about it, as `path → message`. */
export type Refused = [string, Edit, ...string[]];

export function describeRefused(areas: Record<string, Refused[]>): void {
  for (const [area, cases] of Object.entries(areas)) {
    describe(`refused, ${area}:`, () => {
      test.each(cases)("%s", (_, edit, ...expected) => {
        expect(said(edited(edit))).toEqual(expected);
      });
    });
  }
}
