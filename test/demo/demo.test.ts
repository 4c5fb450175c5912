// The demo around a gateway that is not there: what it prepares, and that it cleans up after itself. The whole of it with
// the real gateway is tested where that is composed.
import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { parse } from "yaml";
import { demoConfigText } from "../../src/demo/configuration.ts";
import { runDemo } from "../../src/demo/demo.ts";
import { sections } from "../../src/config/schema.ts";

/** Runs the demo up to the point where it starts the gateway, which then fails. */
async function runToGateway(env: Record<string, string>) {
  const seen = { configText: "", configFile: "", mode: 0, fileText: "", issuerAnswers: false };
  const run = runDemo({
    env,
    stdout: () => {},
    signal: AbortSignal.timeout(10_000),
    startGateway: async (configText, configFile) => {
      Object.assign(seen, { configText, configFile });
      seen.mode = statSync(configFile).mode & 0o777;
      seen.fileText = readFileSync(configFile, "utf8");
      const issuer = parse(configText).oidc.issuer;
      seen.issuerAnswers = (await fetch(`${issuer}/.well-known/openid-configuration`)).ok;
      throw new Error("no gateway today");
    },
  });
  const error = await run.catch((reason: Error) => reason);
  return { ...seen, error, config: parse(seen.configText) };
}

function listens(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

test("a gateway that does not start ends the demo, which leaves no directory and no listener", async () => {
  const { error, configFile, config, issuerAnswers } = await runToGateway({});
  expect(error).toEqual(new Error("no gateway today"));
  expect(issuerAnswers).toBe(true);
  expect(existsSync(dirname(configFile))).toBe(false);
  expect(await listens(config.oidc.issuer)).toBe(false);
  expect(await listens(config.upstreams[0].base_url)).toBe(false);
});

test("the configuration is the text of a file that only its owner can read", async () => {
  const { configText, fileText, mode } = await runToGateway({});
  expect(fileText).toBe(configText);
  expect(mode).toBe(0o600);
});

test("without an API key the upstream is the echo, with a key of its own", async () => {
  const { config } = await runToGateway({ ANTHROPIC_API_KEY: "" });
  expect(config.upstreams[0].base_url).toStartWith("http://localhost:");
  expect(config.upstreams[0].auth.api_key).toMatch(/^[\w-]{48}$/);
});

test("an API key stays in the environment: the configuration only names it", async () => {
  const { config, configText } = await runToGateway({ ANTHROPIC_API_KEY: "sk-canary" });
  expect(config.upstreams[0].base_url).toBe("https://api.anthropic.com");
  expect(config.upstreams[0].auth.api_key).toBe("${ANTHROPIC_API_KEY}");
  expect(configText).not.toContain("sk-canary");
});

test("the configuration has known sections only, on loopback, and survives odd directory names", () => {
  const directory = `/tmp/it's "here": #1`;
  const text = demoConfigText({
    port: 8080,
    issuer: "http://localhost:1",
    clientSecret: "c",
    jwtSecret: "j".repeat(48),
    directory,
    upstream: { baseUrl: "http://localhost:2", apiKey: "k" },
  });
  const config = parse(text);
  expect(Object.keys(sections)).toEqual(expect.arrayContaining(Object.keys(config)));
  expect(config.listen).toEqual({
    host: "127.0.0.1",
    port: 8080,
    public_url: "http://localhost:8080",
  });
  expect(config.store.embedded).toBe(directory);
});
