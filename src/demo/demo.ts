// `claude-gateway demo`: an identity provider with two people, an echo for a model (or Anthropic's API), a gateway with
// the embedded store between them, one person signed in and one answer streamed; then all of it stays up for you. The
// gateway itself is handed in, so that the demo runs the same one as everybody. Everything listens on loopback only.
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callbackUri, demoClientId, demoConfigText, type DemoUpstream } from "./configuration.ts";
import { startEchoUpstream } from "./echo-upstream.ts";
import { startDemoIdentityProvider } from "./identity-provider.ts";
import { people } from "./people.ts";
import { signIn, streamOneAnswer } from "./walk-through.ts";

const preferredPort = 8080;
const model = "claude-haiku-4-5";
const prompt = "Say hello to a new colleague, in one sentence.";

/**
 * Runs the demo until `signal` aborts, then stops what it started and removes its directory. `startGateway` gets the
 * text of a gateway.yaml, the file it was also written to and the file its log goes to; it must allow loopback addresses
 * for the identity provider and upstream. Throws what it throws, and an Error when the person cannot be signed in.
 */
export async function runDemo(o: {
  startGateway: (
    configText: string,
    configFile: string,
    logFile: string,
  ) => Promise<{ stop(): Promise<void> }>;
  env: Readonly<Record<string, string | undefined>>;
  stdout: (text: string) => void;
  signal: AbortSignal;
}): Promise<void> {
  // Undone from the last to the first, however far it came.
  await using started = new AsyncDisposableStack();
  const say = (...lines: string[]) => o.stdout(`${lines.join("\n")}\n`);

  const directory = await mkdtemp(join(tmpdir(), "claude-gateway-demo-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));

  const port = (await isFree(preferredPort)) ? preferredPort : await anyFreePort();
  const clientSecret = newSecret();
  const idp = startDemoIdentityProvider({
    clientId: demoClientId,
    clientSecret,
    redirectUri: callbackUri(port),
  });
  started.defer(() => idp.stop());
  const upstream = chooseUpstream(o.env, started);

  const configText = demoConfigText({
    port,
    issuer: idp.issuer,
    clientSecret,
    jwtSecret: newSecret(),
    directory: join(directory, "store"),
    upstream,
  });
  const configFile = join(directory, "gateway.yaml");
  const logFile = join(directory, "gateway.log");
  await writeFile(configFile, configText, { mode: 0o600 });
  const gatewayUrl = `http://localhost:${port}`;
  const clientDirectory = await writeClientSettings(directory, gatewayUrl);

  say(
    "",
    "claude-gateway demo: for trying out. Everything listens on this machine only (127.0.0.1).",
    "",
  );
  const gateway = await o.startGateway(configText, configFile, logFile);
  started.defer(() => gateway.stop());
  if (port !== preferredPort) say(`  Port ${preferredPort} is taken, so this is port ${port}.`);
  say(
    `  gateway             ${gatewayUrl}`,
    `  identity provider   ${idp.issuer}`,
    `  model               ${describeUpstream(upstream)}`,
    `  configuration       ${configFile}`,
    `  log and audit       ${logFile}`,
    "",
  );

  const { accessToken } = await signIn({ gatewayUrl, person: "ada" });
  say(
    "Ada signed in, step by step as Claude Code and a browser would. She asks:",
    "",
    `  > ${prompt}`,
    "",
  );
  o.stdout("  ");
  await streamOneAnswer({
    gatewayUrl,
    accessToken,
    model,
    prompt,
    write: o.stdout,
  }).catch((error: Error) => o.stdout(`(no answer: ${error.message})`));
  say("", "", ...whatToTryNext({ gatewayUrl, accessToken, clientDirectory }), "");

  await aborted(o.signal);
  say("", "Stopping. Nothing is left behind.");
}

/** Anthropic's API when there is a key for it, else an echo that this starts. */
function chooseUpstream(
  env: Readonly<Record<string, string | undefined>>,
  started: AsyncDisposableStack,
): DemoUpstream {
  if (env["ANTHROPIC_API_KEY"]) {
    // A key for somebody's own proxy must not be sent to Anthropic.
    return {
      baseUrl: env["ANTHROPIC_BASE_URL"] || "https://api.anthropic.com",
      apiKeyVariable: "ANTHROPIC_API_KEY",
    };
  }
  const apiKey = newSecret();
  const echo = startEchoUpstream({ apiKey });
  started.defer(() => echo.stop());
  return { baseUrl: echo.url, apiKey };
}

function describeUpstream(upstream: DemoUpstream): string {
  return "apiKey" in upstream
    ? "an echo on this machine (set ANTHROPIC_API_KEY for real answers)"
    : `${upstream.baseUrl}, with your ANTHROPIC_API_KEY`;
}

/** A configuration directory for Claude Code that knows this gateway, apart from the person's own. Returns its path. */
async function writeClientSettings(directory: string, gatewayUrl: string): Promise<string> {
  const clientDirectory = join(directory, "claude-code");
  await mkdir(clientDirectory);
  await writeFile(join(clientDirectory, "settings.json"), clientSettings(gatewayUrl));
  return clientDirectory;
}

function clientSettings(gatewayUrl: string): string {
  return JSON.stringify({ forceLoginMethod: "gateway", forceLoginGatewayUrl: gatewayUrl });
}

function whatToTryNext(o: {
  gatewayUrl: string;
  accessToken: string;
  clientDirectory: string;
}): string[] {
  const messages = [{ role: "user", content: "Hello" }];
  const body = JSON.stringify({ model, max_tokens: 300, stream: true, messages });
  const who = people.map((person) => `${person.name} (${person.groups.join(", ")})`).join(" or ");
  return [
    "Ask as Ada, for the next hour:",
    "",
    `  curl -N ${o.gatewayUrl}/v1/messages -H 'content-type: application/json' \\`,
    `    -H 'anthropic-version: 2023-06-01' -d '${body}' \\`,
    `    -H 'authorization: Bearer ${o.accessToken}'`,
    "",
    "Sign in with Claude Code, apart from your own setup:",
    "",
    `  CLAUDE_CONFIG_DIR=${o.clientDirectory} claude`,
    "",
    `  It shows a code and opens ${o.gatewayUrl}/device, where you approve it as ${who}.`,
    "",
    "For every user of a machine, its /etc/claude-code/managed-settings.json says:",
    "",
    `  ${clientSettings(o.gatewayUrl)}`,
    "",
    "Ctrl-C stops everything.",
  ];
}

/** Whether both addresses that `localhost` may mean can be listened on at this port. */
async function isFree(port: number): Promise<boolean> {
  const [v4, v6] = await Promise.all([listenOnce("127.0.0.1", port), listenOnce("::1", port)]);
  return v4 !== "taken" && v6 !== "taken";
}

async function anyFreePort(): Promise<number> {
  const port = await listenOnce("127.0.0.1", 0);
  if (port === "taken") throw new Error("no free port on 127.0.0.1");
  return port;
}

/** Listens for a moment. The port it got; a host that has no such address (no IPv6) is as good as free. */
function listenOnce(host: string, port: number): Promise<number | "taken"> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRINUSE" || error.code === "EACCES" ? "taken" : port),
    );
    server.listen({ host, port }, () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : port),
      );
    });
  });
}

function newSecret(): string {
  return randomBytes(36).toString("base64url");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
