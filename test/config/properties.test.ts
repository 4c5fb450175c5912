import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { ConfigError } from "../../src/config/problems.ts";
import { edited, load, minimal, noSources, problemsOf } from "./samples.ts";

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

/** Every place in the minimal configuration, and some of the optional ones, as a path. */
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
    fc.property(edits, (list) => {
      const config = minimal();
      for (const [path, value] of list) put(config, path, value);
      holdsUp(JSON.stringify(config, null, 1));
    }),
    { numRuns: 500 },
  );
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
    ["upstreams", 0, "auth", "api_key"], ["upstreams", 0, "auth"], ["upstreams", 0, "headers", "x-a"],
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
