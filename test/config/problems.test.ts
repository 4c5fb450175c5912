import { describe, expect, test } from "bun:test";
import {
  ConfigError,
  formatPath,
  quote,
  renderProblems,
  summarizeProblems,
} from "../../src/config/problems.ts";
import { edited, load, problemsOf } from "./samples.ts";

const fiveMistakes = `
# production
listen:
  host: 0.0.0.0
  port: 80800
oidc:
  issuer: https://login.corp.example
  client_id: gateway
  client_secret: \${OIDC_SECRET}
session:
  jwt_secret: correct-horse
  ttl_huors: 8
store:
  postgres_url: postgres://gw@db/gateway
upstreams:
  - provider: anthropic
    auth: { api_key: sk-ant-1 }
  - provider: anthropic
    auth: { api_key: sk-ant-2 }
`;

describe("a person", () => {
  test("reads all five mistakes at once, each on its own line, in the order of the file", () => {
    expect(
      renderProblems("gateway.yaml", problemsOf(fiveMistakes)).map((line) => line.slice(0, 100)),
    ).toEqual([
      "gateway.yaml:3:1  listen.public_url is required when listen.host is not a loopback address — set it ",
      "gateway.yaml:5:3  listen.port: must be a whole number from 0 to 65535, got 80800",
      "gateway.yaml:9:3  oidc.client_secret: undefined env var in config: OIDC_SECRET",
      "gateway.yaml:11:3  session.jwt_secret: must be a secret of at least 32 characters, got text of 13 ch",
      'gateway.yaml:12:3  session.ttl_huors: unknown key; did you mean "ttl_hours"?',
      "gateway.yaml:18:5  upstreams[1].name: duplicate upstream name 'anthropic' — set distinct 'name:' on ",
    ]);
  });

  test("reads no secret in it", () => {
    const lines = renderProblems("gateway.yaml", problemsOf(fiveMistakes)).join("\n");
    for (const secret of ["correct-horse", "sk-ant"]) expect(lines).not.toContain(secret);
  });

  test("reads no password out of a URL that may not have one", () => {
    const text = edited((c) => (c.oidc.issuer = "https://admin:hunter2@idp.example"));
    expect(renderProblems("f", problemsOf(text))).toEqual([
      "f:6:5  oidc.issuer: must be an http(s) URL without credentials in it, got text of 33 characters",
    ]);
  });

  test("reads no password out of text that only looks like a URL, and soon, however long it is", () => {
    const got = (value: string) =>
      problemsOf(edited((c) => (c.auto_include_builtin_models = value))).map(
        ({ message }) => message,
      );
    expect(got("://u:hunter2@")).toEqual(["must be true or false, got text of 13 characters"]);
    expect(got("://a\n@b://c")).toEqual(["must be true or false, got text of 11 characters"]);
    expect(got("@a://b")).toEqual(['must be true or false, got "@a://b"']);
    const started = performance.now();
    expect(got("://".repeat(150_000))).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("reads the first problem in the last line, without the advice", () => {
    const text = edited((c) => {
      c.oidc.isuer = "x";
      c.session.ttl_hours = -1;
    });
    expect(summarizeProblems("gateway.yaml", problemsOf(text))).toBe(
      "gateway.yaml is not valid: 2 problems, first: oidc.isuer: unknown key",
    );
    expect(summarizeProblems("gateway.yaml", problemsOf(edited((c) => delete c.store)))).toBe(
      "gateway.yaml is not valid: store is required: a mapping",
    );
  });

  test("reads a problem of the whole file without a place", () => {
    expect(renderProblems("gateway.yaml", problemsOf("[]"))).toEqual([
      "gateway.yaml  must be a mapping of sections, got a list",
    ]);
  });

  test("reads at most a hundred lines", () => {
    const problem = { path: "a", line: 1, column: 1, message: "wrong" };
    const lines = renderProblems(
      "f",
      Array.from({ length: 150 }, () => problem),
    );
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe("f  … and 50 more");
  });

  test("reads one line for each problem, whatever the file has for keys and values", () => {
    const text = edited((c) => {
      c["a\nb\u001b[31m\u202e"] = 1;
      c.session.ttl_hours = "x\ny\u001b[31m\u0085\u2028";
    });
    const lines = renderProblems("gateway.yaml", problemsOf(text));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
  });
});

test("the error's own message is the text to print", () => {
  let error: unknown;
  try {
    load(edited((c) => (c.listen.port = "x")));
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toBe(
    'ConfigError: config:4:5  listen.port: must be a whole number from 0 to 65535, got "x"',
  );
});

describe("a place", () => {
  test("is that of the key, whose value is wrong", () => {
    expect(
      pointedAt(
        edited((c) => (c.session.ttl_hours = -1)),
        11,
      ),
    ).toBe('"ttl_hours"');
  });
  test("is that of the entry of a list", () => {
    expect(
      pointedAt(
        edited((c) => (c.oidc.allowed_groups = ["a", ""])),
        2,
      ),
    ).toBe('""');
  });
  test("is that of the mapping from which a key is missing", () => {
    expect(
      pointedAt(
        edited((c) => delete c.oidc.issuer),
        6,
      ),
    ).toBe('"oidc"');
  });
  test("is that of the anchored text, when an alias brings it in", () => {
    const text = edited((c) => (c.session = "SESSION")).replace(
      '"SESSION"',
      '&s { "jwt_secret": "short" }',
    );
    expect(pointedAt(text, 12)).toBe('"jwt_secret"');
    const aliased = text
      .replace('"session"', '"x": &x [short],\n"session"')
      .replace('"short"', "*x");
    expect(problemsOf(aliased).map(({ path, line }) => [path, line])).toContainEqual([
      "session.jwt_secret[0]",
      10,
    ]);
  });
  test("is unknown for a section that is not there", () => {
    expect(problemsOf(edited((c) => delete c.oidc))[0]).toMatchObject({
      line: undefined,
      column: undefined,
    });
  });
});

test("a path is written as people write it", () => {
  expect(formatPath(["upstreams", 0, "headers", "x-team"])).toBe("upstreams[0].headers.x-team");
  expect(formatPath(["a.b", "c"])).toBe('["a.b"].c');
  expect(formatPath([])).toBe("");
});

test("quoted text is cut when long", () => {
  expect(quote("x".repeat(61))).toBe(`"${"x".repeat(60)}…"`);
});

/** The text at the line and column of the first problem. */
function pointedAt(text: string, length: number): string | undefined {
  const [problem] = problemsOf(text);
  const column = (problem?.column ?? 0) - 1;
  return text.split("\n")[(problem?.line ?? 0) - 1]?.slice(column, column + length);
}
