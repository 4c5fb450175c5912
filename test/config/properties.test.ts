import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { ConfigError } from "../../src/config/problems.ts";
import { edited, load, minimal, noSources, problemsOf } from "./samples.ts";
import { providers, sample } from "./upstream-samples.ts";

/** Loads any text. Whatever is not a Config must be a ConfigError that says something. */
function holdsUp(text: string): void {
  try {
    const { config } = load(text, {
      env: { X: "x", SECRET: "s".repeat(40) },
      readFile: noSources.readFile,
    });
    expect(config.upstreams.length).toBeGreaterThan(0);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    const lines = text.split("\n").length;
    for (const { message, line, column } of error.problems) {
      expect(message).not.toBe("");
      expect(
        line === undefined ||
          (line >= 1 && line <= lines + 1 && column !== undefined && column >= 1),
      ).toBe(true);
    }
  }
}

/** Every place in the minimal configuration, all of every upstream, and some other optional ones, as a path. */
const places = (() => {
  const found: (string | number)[][] = [
    ["models"], ["models", 0], ["limits"], ["timeouts"], ["rate_limits"], ["access_control"], ["login_notice"],
    ["listen", "tls"], ["listen", "trusted_proxies"], ["upstreams", 0, "headers"], ["upstreams", 0, "models"],
    ["upstreams", 0, "name"], ["upstreams", 0, "base_url"], ["upstreams", 0, "forward_user_identity"],
    ["oidc", "scopes"], ["oidc", "extra_auth_params"], ["oidc", "discovery_url"], ["oidc", "form_action_origins"],
    ["store", "embedded"], ["store", "username"], ["oidc", "email_claim"], ["models", 0, "upstream_model"],
  ]; // prettier-ignore
  const walk = (value: unknown, path: (string | number)[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      const step = Array.isArray(value) ? Number(key) : key;
      found.push([...path, step]);
      walk(item, [...path, step]);
    }
  };
  walk(minimal(), []);
  walk({ failover: { set_aside_seconds: 1 } }, []);
  for (const provider of providers) walk({ upstreams: [sample(provider, "full")] }, []);
  return found;
})();

/** Writes a value at a path, making mappings on the way. */
function put(into: Record<string, unknown>, path: (string | number)[], value: unknown): void {
  let at: object = into;
  for (const step of path.slice(0, -1)) {
    const next: unknown = Reflect.get(at, step);
    const mapping = typeof next === "object" && next !== null ? next : {};
    Reflect.set(at, step, mapping);
    at = mapping;
  }
  Reflect.set(at, path.at(-1) ?? "", value);
}

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("${X}", "${NOPE}", "${file:/x}", "*", "http://x", "5", "__proto__"),
);
const anyJson = fc.oneof(
  fc.jsonValue(),
  anyText,
  fc.array(anyText),
  fc.dictionary(anyText, anyText),
  fc.constantFrom<unknown>([null], [{}], {}, null),
);

test("any JSON is a configuration or is refused with reasons", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => holdsUp(JSON.stringify(value))));
});

test("any text is a configuration or is refused with reasons", () => {
  const yaml = fc.array(
    fc.constantFrom(
      "a",
      ": ",
      "\n",
      "  ",
      "- ",
      "[",
      "]",
      "{",
      "}",
      "&a ",
      "*a",
      "<<",
      "!",
      "|",
      ">",
      "'",
      '"',
      "#",
      "%",
      "?",
      "\t",
      "listen",
      ",",
      "\0",
      "---\n",
    ),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        anyText,
        yaml.map((parts) => parts.join("")),
      ),
      holdsUp,
    ),
  );
});

test("a valid configuration with anything at all in any places still loads or is refused with reasons", () => {
  const edits = fc.array(fc.tuple(fc.constantFrom(...places), anyJson), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(edits, fc.constantFrom(...providers), (list, provider) => {
      const config = minimal();
      config.upstreams = [sample(provider, "full")];
      config.failover = {};
      // Copies: a later edit may write into what an earlier one put there.
      for (const [path, value] of list) put(config, path, structuredClone(value));
      holdsUp(JSON.stringify(config, null, 1));
    }),
    { numRuns: 500 },
  );
});

test("whatever is taken for part of a host or a path stays that part", () => {
  const parts = fc.constantFrom<[string, string, "host" | "path"]>(
    ["bedrock", "region", "host"],
    ["mantle", "region", "host"],
    ["anthropicAws", "region", "host"],
    ["vertex", "region", "host"],
    ["foundry", "resource", "host"],
    ["anthropicGoogleCloud", "location", "path"],
    ["anthropicGoogleCloud", "workspace_id", "path"],
    ["vertex", "project_id", "path"],
  );
  const text = fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom("a", "z", "0", "-") },
        { weight: 1, arbitrary: fc.constantFrom("Z", "_", ".", "..", ":", "/", "\\", "@", "?") },
        { weight: 1, arbitrary: fc.constantFrom("#", "%", "&", " ", "\n", "\t", "é", "ｅ", "。") },
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((characters) => characters.join(""));
  let taken = 0;
  fc.assert(
    fc.property(parts, text, ([provider, key, place], value) => {
      const upstream = { ...sample(provider), [key]: value };
      if (problemsOf(edited((c) => (c.upstreams = [upstream]))).length > 0) return;
      taken += 1;
      const [host, path] = place === "host" ? [value.toLowerCase(), "p"] : ["h", value];
      const url = new URL(`https://${place === "host" ? value : "h"}-x.example/v1/${path}/end`);
      expect(url.hostname).toBe(`${host}-x.example`);
      expect(url.pathname).toBe(`/v1/${path}/end`);
    }),
    { numRuns: 2000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test("an unknown key anywhere is pointed at by line and column", () => {
  const sections = fc.constantFrom("listen", "oidc", "session", "store");
  const name = fc.stringMatching(/^[a-z_]{1,20}$/).map((text) => `zz_${text}`);
  fc.assert(
    fc.property(sections, name, fc.jsonValue(), (section, key, value) => {
      const text = edited((config) => (config[section][key] = value));
      const problem = problemsOf(text).find(({ path }) => path === `${section}.${key}`);
      expect(problem).toBeDefined();
      const line = text.split("\n")[(problem?.line ?? 0) - 1] ?? "";
      expect(line.slice((problem?.column ?? 0) - 1)).toStartWith(`"${key}":`);
    }),
  );
});

test("a secret is in no message, whatever is wrong with it", () => {
  const secretPlaces = [
    ["oidc", "client_secret"], ["session", "jwt_secret"], ["store", "postgres_url"], ["store", "password"],
    ["upstreams", 0, "auth", "api_key"], ["upstreams", 0, "auth"], ["upstreams", 0, "headers", "x-a"], ["upstreams", 0, "auth", "oauth_token"],
  ]; // prettier-ignore
  const canary = "cAnArY-1234";
  const shapes = fc.constantFrom<unknown>(
    canary,
    [canary],
    { a: canary },
    [[canary]],
    ` ${canary}\n`,
  );
  fc.assert(
    fc.property(fc.constantFrom(...secretPlaces), shapes, (path, value) => {
      const config = minimal();
      put(config, path, value);
      config.listen.port = -1;
      expect(JSON.stringify(problemsOf(JSON.stringify(config)))).not.toContain(canary);
    }),
  );
});
