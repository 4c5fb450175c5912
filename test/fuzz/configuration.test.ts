// gateway.yaml as it may come out of a broken editor, template or disk: each text is a configuration, or is refused with what is
// wrong and where, soon, and never with a stack trace. Wrong values in well-formed files are test/config/properties.test.ts's.
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { ConfigError } from "../../src/config/problems.ts";
import { load, minimal } from "../config/samples.ts";
import { runCommand } from "../support/gateway.ts";
import { damaged } from "../support/hostile-json.ts";
import { runs } from "../support/ordeal.ts";

const whole = `listen:
  public_url: https://gateway.example
oidc:
  issuer: https://idp.example
  client_id: gw
  client_secret: \${SECRET}
  scopes: [openid, "profile", 'email']
session: { jwt_secret: "\${SECRET}", ttl_hours: 1 }   # an hour
store:
  postgres_url: &url postgres://gateway@db.example/gateway
upstreams:
  - provider: anthropic
    auth: { api_key: "\${file:/run/key}" }
login_notice: >
  be
  kind
managed:
  policies:
    - match: { groups: [eng] }
      code: { availableModels: [sonnet], env: { A: "b" } }
`;
const sources = { env: { SECRET: "s".repeat(40) }, readFile: () => "sk-key" };

/** Milliseconds that a refusal may take, on a machine that has much else to do. */
const refusedMsMax = 10_000;

function problemsOf(text: string): string[] {
  const startedAt = performance.now();
  try {
    load(text, sources);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(performance.now() - startedAt).toBeLessThan(refusedMsMax);
    const lines = error.message.split("\n");
    for (const { path, line, message } of error.problems) {
      // A setting, a place in the file, or the file as a whole.
      expect(path !== "" || line !== undefined || lines.length === 1).toBe(true);
      expect(message).toMatch(/\S/);
    }
    for (const line of lines) {
      expect(line).toMatch(/^config(?::\d+:\d+)? {2}\S/);
      expect(line).not.toMatch(/^\s+at |\b(?:Type|Range|Reference|Syntax)Error\b/);
    }
    return lines;
  }
}

test("what the others are made of is valid", () => expect(problemsOf(whole)).toEqual([]));

test("a file with some bytes changed, repeated, cut off or in another encoding is told of by its place", () => {
  fc.assert(
    fc.property(damaged(fc.constant(whole)), (bytes) => {
      problemsOf(Buffer.from(bytes).toString());
    }),
    runs(500),
  );
});

test("a file with lines moved, left out and indented anew is told of by its place", () => {
  const lines = whole.split("\n");
  const move = fc.tuple(fc.nat(lines.length), fc.nat(lines.length), fc.nat(5));
  fc.assert(
    fc.property(fc.array(move, { minLength: 1, maxLength: 4 }), (moves) => {
      let moved = lines;
      for (const [from, to, indent] of moves) {
        const line = moved[from] ?? "- ";
        moved = moved
          .toSpliced(from, indent % 2)
          .toSpliced(to, 0, " ".repeat(indent) + line.trim());
      }
      problemsOf(moved.join("\n"));
    }),
    runs(500),
  );
});

const many = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");
const laughs = "bcdefghij"
  .split("")
  .map(
    (name, index) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghij"[index]}`).join(",")}]`,
  );
const costly: Readonly<Record<string, string>> = {
  "lists that are not closed": "[".repeat(100_000),
  "lists in lists": `a: ${"[".repeat(50_000)}${"]".repeat(50_000)}`,
  "mappings in mappings": "a: ".repeat(50_000),
  "deeper and deeper lines": many(1_000, (depth) => `${" ".repeat(depth)}a:`),
  "a hundred thousand keys": many(100_000, (index) => `k${index}: 1`),
  "aliases that multiply": `a: &a [x,x,x,x,x,x,x,x,x]\n${laughs.join("\n")}`,
  "an alias of itself": "a: &a [*a]",
  "a mapping merged into itself": "a: &a { <<: *a }",
  "many aliases": `a: &a 1\n${many(50_000, (index) => `k${index}: *a`)}`,
  "many variables": `a: ${"${SECRET}".repeat(50_000)}`,
  "variables that are not closed": `a: "${"${".repeat(50_000)}"`,
  "megabytes of text": `a: ${"x".repeat(5_000_000)}`,
  "many documents": "---\n".repeat(50_000),
  "quotes alone": '"'.repeat(10_001),
  "tags of other languages": "a: !!js/function 'x'\nb: !!python/object/apply:os.system ['id']",
  "another YAML": "%YAML 9.9\n---\na: 1",
  NULs: "a: \0\0\0\n\0: b",
  "names of every object": '{"__proto__":{"listen":1},"constructor":1,"toString":{}}',
  "a number that is none": '{"listen":{"port":1e400}}',
};
test.each(Object.entries(costly))("%s: refused, soon", (_, text) => {
  expect(problemsOf(text)).not.toEqual([]);
});

test("the command says the same, with an exit code and without a stack trace", async () => {
  const directory = await mkdtemp(join(tmpdir(), "configuration-"));
  const path = join(directory, "gateway.yaml");
  const files: (string | Uint8Array)[] = [
    ...Object.values(costly).slice(0, 4),
    Buffer.from(`\ufeff${whole}`, "utf16le"),
    new Uint8Array([0xff, 0xfe, 0x00, 0x80]),
    JSON.stringify({ ...minimal(), upstreams: [{ provider: "\ud800" }] }),
    "",
  ];
  for (const file of files) {
    await Bun.write(path, file);
    const { stdout, stderr, exitCode } = await runCommand(["check", "--config", path]);
    expect([exitCode, `${stdout}${stderr}`]).toEqual([1, expect.stringContaining("gateway.yaml")]);
    expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .+:\d+|(?:Type|Range|Syntax)Error/m);
  }
  await rm(directory, { recursive: true });
});
