import { describe, expect, test } from "bun:test";
import { edited, load, minimal, problemsOf, said } from "./samples.ts";

describe("a valid configuration", () => {
  test("needs nothing but the five required sections, and gets every default", () => {
    const { config, warnings } = load(JSON.stringify(minimal()));
    expect(config).toEqual({
      listen: {
        host: "0.0.0.0",
        port: 8080,
        public_url: "https://gateway.example",
        trusted_proxies: [],
      },
      oidc: {
        issuer: "https://idp.example",
        client_id: "gw",
        client_secret: "s3cret",
        allowed_email_domains: [],
        allowed_groups: [],
        groups_claim: "groups",
        email_claim: "email",
        scopes: ["openid", "profile", "email", "offline_access"],
        scope_on_refresh: false,
        extra_auth_params: {},
        userinfo_fallback: false,
        use_pkce: true,
        clock_skew_seconds: 0,
        id_token_signed_response_alg: "RS256",
        additional_authorized_parties: [],
        form_action_origins: [],
      },
      session: { jwt_secret: "0123456789abcdef0123456789abcdef", ttl_hours: 1 },
      store: {
        postgres_url: "postgres://gateway@db.example/gateway",
        max_connections: 5,
        connect_timeout_seconds: 5,
        readiness_grace_seconds: 0,
      },
      upstreams: [
        {
          provider: "anthropic",
          name: "anthropic",
          headers: {},
          compatibility: { learn: false },
          base_url: "https://api.anthropic.com",
          auth: { api_key: "sk-test" },
          forward_user_identity: false,
        },
      ],
      enforcement: { fail_closed_on_error: false, reserve: true },
      models: [],
      auto_include_builtin_models: true,
      policies: [],
      access_control: { allow_cidrs: [], deny_cidrs: [] },
      limits: { max_request_bytes: 33_554_432 },
      timeouts: {},
      rate_limits: {
        device_authorization: { max: 30, window_seconds: 600 },
        device_verify: { max: 10, window_seconds: 600 },
      },
    });
    expect(warnings).toEqual([]);
  });

  test("may be written in block style, with comments, anchors and merge keys", () => {
    const text = `
# production
listen: { host: 127.0.0.1 }   # trailing
oidc:
  issuer: 'https://idp.example'
  client_id: gw
  client_secret: "s3cret"
session:
  jwt_secret:
    - &secret 0123456789abcdef0123456789abcdef
    - *secret
store:
  postgres_url: >-
    postgres://gateway@db.example/gateway
upstreams:
- &first
  provider: anthropic
  auth: { api_key: sk-test }
- <<: *first
  name: second
`;
    const { config } = load(text);
    expect(config.session.jwt_secret).toEqual(Array(2).fill("0123456789abcdef0123456789abcdef"));
    expect(config.upstreams.map(({ name }) => name)).toEqual(["anthropic", "second"]);
    expect(config.store.postgres_url).toBe("postgres://gateway@db.example/gateway");
  });

  test("does not share the lists of the defaults with the next one", () => {
    load(JSON.stringify(minimal())).config.oidc.scopes.push("groups");
    expect(load(JSON.stringify(minimal())).config.oidc.scopes).not.toContain("groups");
  });

  const accepted: [string, (config: ReturnType<typeof minimal>) => void][] = [
    ["no public_url on IPv4 loopback", (c) => (c.listen = { host: "127.0.0.1" })],
    ["no public_url on IPv6 loopback", (c) => (c.listen = { host: "::1" })],
    ["no public_url on localhost", (c) => (c.listen = { host: "localhost" })],
    ["a public_url with a path", (c) => (c.listen.public_url = "https://gateway.example/claude")],
    [
      "addresses and blocks of both IP versions",
      (c) => (c.listen.trusted_proxies = ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]),
    ],
    ["a session of no time at all", (c) => (c.session.ttl_hours = 0)],
    ["an embedded store", (c) => (c.store = { embedded: "/var/lib/gateway" })],
    ["an OAuth token as credential", (c) => (c.upstreams[0].auth = { oauth_token: "t" })],
    [
      "names of upstreams that differ by case",
      (c) => (c.upstreams = [c.upstreams[0], { ...c.upstreams[0], name: "ANTHROPIC" }]),
    ],
    [
      "forwarding identities to a proxy",
      (c) =>
        Object.assign(c.upstreams[0], {
          base_url: "https://proxy.example",
          forward_user_identity: true,
        }),
    ],
    [
      "a wildcard among an upstream's models",
      (c) => (c.upstreams[0].models = ["claude-opus-*", "house"]),
    ],
    [
      "a header of the operator's own",
      (c) => (c.upstreams[0].headers = { "X-Team": "platform one" }),
    ],
    [
      "a model mapped to an upstream by its default name",
      (c) => (c.models = [{ id: "house", upstream_model: { anthropic: "claude-x" } }]),
    ],
    ["several e-mail claims", (c) => (c.oidc.email_claim = ["email", "/upn"])],
    [
      "an extra parameter that only looks like the gateway's",
      (c) => (c.oidc.extra_auth_params = { state_hint: "x", prompt: "login" }),
    ],
    ["a login notice of 500 characters", (c) => (c.login_notice = "x".repeat(500))],
  ];
  test.each(accepted)("may have %s", (_, edit) => {
    expect(said(edited(edit))).toEqual([]);
  });
});

describe("numbers", () => {
  const numeric: [unknown, number][] = [
    ["9000", 9000],
    [" 5 ", 5],
    ["0x10", 16],
    ["1e1", 10],
    [9000, 9000],
  ];
  test.each(numeric)("%p is read as a number", (written, port) => {
    expect(load(edited((c) => (c.listen.port = written))).config.listen.port).toBe(port);
  });

  test.each([["abc"], [""], [" "], ["Infinity"], ["80 80"], [8080.5], [-1], [null], [true], [[]]])(
    "%p is not taken for a port",
    (written) => {
      const [problem] = problemsOf(edited((c) => (c.listen.port = written)));
      expect(problem?.path).toBe("listen.port");
      expect(problem?.message).toStartWith("must be a whole number from 0 to 65535, got ");
    },
  );

  test("YAML's words for infinity and not-a-number are refused", () => {
    for (const word of [".inf", ".nan"]) {
      expect(
        said(edited(() => {}).replace("{", `{ "limits": { "max_request_bytes": ${word} },`)),
      ).toHaveLength(1);
    }
  });

  test("a word is no boolean, and 1.2's yes is a word", () => {
    for (const word of ['"true"', "yes", "1"]) {
      const text = edited(() => {}).replace("{", `{ "auto_include_builtin_models": ${word},`);
      expect(said(text)[0]).toStartWith(
        "auto_include_builtin_models → must be true or false, got ",
      );
    }
  });
});

describe("the sha256", () => {
  const base = edited(() => {});
  const { sha256 } = load(base);

  test("is 64 hex digits", () => {
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test("does not change with comments, layout, or the order of keys", () => {
    const { listen, ...rest } = minimal();
    expect(load(`# a comment\n${base}`).sha256).toBe(sha256);
    expect(load(JSON.stringify({ ...rest, listen })).sha256).toBe(sha256);
  });

  test("changes with a setting, and with the value of a variable", () => {
    expect(load(edited((c) => (c.session.ttl_hours = 2))).sha256).not.toBe(sha256);
    const text = edited((c) => (c.oidc.client_secret = "${S}"));
    expect(load(text, { env: { S: "a" } }).sha256).not.toBe(load(text, { env: { S: "b" } }).sha256);
  });

  test("changes with the order of a list, which is the order of failover", () => {
    const two = ["a", "b"].map((name) => ({ ...minimal().upstreams[0], name }));
    const hashes = [two, two.toReversed()].map(
      (list) => load(edited((c) => (c.upstreams = list))).sha256,
    );
    expect(hashes[0]).not.toBe(hashes[1]);
  });
});

describe("the file as a whole", () => {
  const whole: [string, string, RegExp][] = [
    ["nothing", "", /is empty/],
    ["comments only", "# nothing\n", /is empty/],
    ["a list", "- a\n", /must be a mapping of sections, got a list/],
    ["a word", "hello", /must be a mapping of sections, got a single value/],
    ["more than a mebibyte", `# ${"x".repeat(1024 * 1024)}`, /is larger than 1048576 bytes/],
    ["an open bracket", "listen: [\n", /^YAML: /],
    ["two documents", "a: 1\n---\nb: 2\n", /^YAML: .*multiple documents/],
    ["a tag of its own", "session: !vault secret\n", /^YAML: Unresolved tag/],
    ["a tag of YAML 1.1", "session: !!binary aGk=\n", /^YAML: Unresolved tag/],
    ["an alias without anchor", "a: *b\n", /^YAML: this alias has no anchor before it/],
    ["an alias before its anchor", "a: *b\nc: &b x\n", /^YAML: this alias has no anchor before it/],
    ["a key that is a list", "? [a]\n: b\n", /^YAML: .*keys must be strings/],
  ];
  test.each(whole)("with %s is refused, and says why", (_, text, message) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(message);
  });

  test("with a syntax error says where", () => {
    expect(problemsOf("listen:\n  host: 'a\n  port: 1\n")[0]).toMatchObject({ line: 4, column: 1 });
  });

  test("with a syntax error does not repeat the line, which may hold a secret", () => {
    const texts = [
      "client_secret: |hunter2 hunter2\n  x",
      "client_secret: 'hunter2' hunter2",
      'a: "hunter2\\q"',
      "a: hunter2: x",
      "- 'hunter2' hunter2",
      "client_secret: *hunter2",
      "client_secret: !hunter2 x",
      "client_secret: @hunter2",
    ];
    for (const text of texts) expect(JSON.stringify(problemsOf(text))).not.toContain("hunter2");
  });

  test("may not give a key twice, wherever it is, and says so beside all other problems", () => {
    const text = edited((c) => (c.listen.bogus = 1)).replace(
      '"auth": {',
      '"provider": "anthropic", "auth": { "api_key": "first",',
    );
    const problems = problemsOf(text);
    const keys = ["upstreams[0].provider", "upstreams[0].auth.api_key"];
    expect(problems.map(({ path }) => path)).toEqual(["listen.bogus", ...keys]);
    expect(problems[2]?.message).toBe("the key is given twice in this mapping");
    expect(text.split("\n")[(problems[2]?.line ?? 0) - 1]).toInclude('"api_key": "sk-test"');
  });

  test("may not multiply by aliases, refer to itself, or be nested without end", () => {
    const laughs = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 9; i++)
      laughs.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(",")}]`,
      );
    const started = performance.now();
    expect(said(laughs.join("\n"))[0]).toMatch(/too many values|more than 100000 values/);
    expect(said("a: &a [*a, *a]\n").join()).toInclude("refers to itself");
    expect(said(`a: ${"[".repeat(200)}${"]".repeat(200)}`).join()).toInclude(
      "nested deeper than 64 levels",
    );
    expect(said("[".repeat(500_000))).not.toEqual([]);
    expect(performance.now() - started).toBeLessThan(20_000);
  }, 60_000);

  test("with 60,000 keys is refused in seconds", () => {
    const text = Array.from({ length: 60_000 }, (_, index) => `key${index}: 1`).join("\n");
    const started = performance.now();
    expect(problemsOf(text).length).toBeGreaterThan(100);
    expect(performance.now() - started).toBeLessThan(20_000);
  }, 60_000);
});
