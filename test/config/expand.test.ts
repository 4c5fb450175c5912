import { describe, expect, test } from "bun:test";
import { edited, load, problemsOf, said } from "./samples.ts";

/** The client_secret that comes of what is written there. */
function secret(
  written: string,
  env: Record<string, string> = {},
  files: Record<string, string> = {},
): string {
  const text = edited((c) => (c.oidc.client_secret = written));
  const { oidc } = load(text, { env, readFile: (path) => files[path] ?? fail(path) }).config;
  return oidc.client_secret ?? "";
}

function fail(path: string): never {
  throw new Error(`ENOENT: no such file or directory, open '${path}'`);
}

describe("${VAR}", () => {
  const forms: [string, string][] = [
    ["${X}", "value"],
    ["a${X}b${X}", "avaluebvalue"],
    ["${1X}", "one"],
    ["$${X}", "$value"],
    ["\\${X}", "\\value"],
    ["${OUTER}", "${X}"],
    ["$X", "$X"],
    ["${ X }", "${ X }"],
    ["${X:-d}", "${X:-d}"],
    ["${A-B}", "${A-B}"],
    ["${A.B}", "${A.B}"],
    ["${}", "${}"],
    ["x${file:/a}", "x${file:/a}"],
    ["x${file:/a}${X}", "x${file:/a}value"],
  ];
  test.each(forms)("%s becomes %s", (written, value) => {
    expect(secret(written, { X: "value", "1X": "one", OUTER: "${X}" })).toBe(value);
  });

  test("needs no quotes within braces and brackets, and takes no other place there", () => {
    const text = edited((c) => (c.session = "SESSION")).replace(
      '"SESSION"',
      "{ jwt_secret: [${S}, ${file:/run/s}], ttl_hours: ${T}, bogus: 1, '${T}': '${T}' }",
    );
    const sources = { env: { S: "s".repeat(32), T: "2" }, readFile: () => "t".repeat(32) };
    const problems = problemsOf(text, sources);
    expect(problems.map(({ path }) => path)).toEqual(["session.bogus", 'session["${T}"]']);
    const line = text.split("\n").find((candidate) => candidate.includes("bogus")) ?? "";
    expect(problems[0]?.column).toBe(line.indexOf("bogus") + 1);
    const { session } = load(text.replace(/, bogus.*'/, ""), sources).config;
    expect(session).toEqual({ jwt_secret: ["s".repeat(32), "t".repeat(32)], ttl_hours: 2 });
  });

  test("may stand where a number belongs", () => {
    const text = edited((c) => (c.listen.port = "${PORT}"));
    expect(load(text, { env: { PORT: "9000" } }).config.listen.port).toBe(9000);
  });

  test("is one string, whatever is in it, and never YAML", () => {
    expect(secret("${X}", { X: "{a: [1]}\n# no comment" })).toBe("{a: [1]}\n# no comment");
  });

  test("is not expanded in a comment or a key", () => {
    const text = `# \${UNDEFINED}\n${edited((c) => (c.oidc.extra_auth_params = { "${X}": "1" }))}`;
    expect(load(text, { env: { X: "state" } }).config.oidc.extra_auth_params).toEqual({
      "${X}": "1",
    });
  });

  test("that is not defined is said once, by its name, and not what it breaks as well", () => {
    const text = edited((c) => (c.session.jwt_secret = "${NOPE_VAR}${NOPE_VAR}"));
    expect(said(text)).toEqual(["session.jwt_secret → undefined env var in config: NOPE_VAR"]);
  });

  test("is not found on every object", () => {
    const text = edited((c) => (c.oidc.client_secret = "${constructor}${__proto__}"));
    expect(said(text)).toEqual([
      "oidc.client_secret → undefined env var in config: constructor",
      "oidc.client_secret → undefined env var in config: __proto__",
    ]);
  });

  test("that is empty leaves it to the setting to refuse", () => {
    const text = edited((c) => (c.oidc.client_secret = "${EMPTY}"));
    expect(said(text, { env: { EMPTY: "" } })).toEqual([
      "oidc.client_secret → must be the client secret registered at the IdP, got an empty string",
    ]);
  });

  test("is never shown, wherever it lands", () => {
    const text = edited((c) => {
      c.listen = { port: "${S}", host: "${S}", public_url: "${S}", trusted_proxies: ["${S}"] };
      c.oidc.token_endpoint_auth_method = "${S}";
      c.upstreams[0].provider = "${S}";
      c.login_notice = "${S}".repeat(100);
    });
    const problems = problemsOf(text, { env: { S: "hunter2" } });
    expect(problems).toHaveLength(6);
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  });

  test("that multiplies beyond all bounds is refused before it is made", () => {
    const text = edited((c) => (c.login_notice = "${BIG}".repeat(30_000)));
    expect(said(text, { env: { BIG: "x".repeat(100_000) } })).toEqual([
      " → expands to more than 4194304 characters",
    ]);
  });

  test("left as written is worth a warning, an expanded one that holds the like is not", () => {
    const text = edited((c) => (c.oidc.client_secret = "${X:-d}"));
    expect(load(text).warnings).toEqual([
      'oidc.client_secret holds a "${" that is left as written: only ${NAME} anywhere, and ${file:/path} as the whole value, are expanded',
    ]);
    expect(
      load(
        edited((c) => (c.oidc.client_secret = "${X}")),
        { env: { X: "${Y:-d}" } },
      ).warnings,
    ).toEqual([]);
  });
});

describe("${file:/path}", () => {
  test("is the file's content without blanks around it, and not expanded again", () => {
    expect(secret("${file:/run/secret}", {}, { "/run/secret": "\n  ${X} y \n" })).toBe("${X} y");
  });

  test("may come with the line end of a block string", () => {
    expect(secret("${file:/run/secret}\n", {}, { "/run/secret": "s" })).toBe("s");
  });

  test("takes everything up to the last brace as the name", () => {
    expect(secret("${file:/a}${X}", { X: "x" }, { "/a}${X": "odd" })).toBe("odd");
  });

  test("must be absolute", () => {
    expect(said(edited((c) => (c.oidc.client_secret = "${file:rel}")))).toEqual([
      "oidc.client_secret → ${file:} path must be absolute: rel",
    ]);
  });

  test("that cannot be read names the file and the reason", () => {
    expect(said(edited((c) => (c.oidc.client_secret = "${file:/nonexistent}")))).toEqual([
      "oidc.client_secret → cannot read /nonexistent: ENOENT: no such file or directory, open '/nonexistent'",
    ]);
  });

  test("that is empty leaves it to the setting to refuse", () => {
    const text = edited((c) => (c.oidc.client_secret = "${file:/empty}"));
    expect(said(text, { readFile: () => " \n" })[0]).toInclude("got an empty string");
  });
});
