// `bun run test:client`: a stock Claude Code signs in through the built executable and holds a conversation. Around them a
// real PostgreSQL, a real OIDC provider and an upstream that answers; then a look at what the gateway logged and what the
// upstream saw. CLIENT_GATEWAY names another gateway's command line with `{config}`.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startOidcProvider } from "../support/idp.ts";
import { startPostgres } from "../support/postgres.ts";
import { realClient } from "./client.ts";
import { startGateway } from "./gateway.ts";
import { type Check, journey } from "./journey.ts";
import { missingTools, openWorkplace, runToItsEnd } from "./terminal.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

const root = join(import.meta.dir, "..", "..");
const person = "ada";
const prompt = "say the two words";
const words = ["hello", " world"];
/** Another driver of the same client, where it lies beside the checkout: a second opinion on the same gateway. */
const secondOpinion = join(root, "..", "shared", "real-client", "journey.mjs");
const secondOpinionSecondsMax = 240;

process.exit(await main());

/** @returns the exit code: 0 all checks passed, 1 not, 2 cannot be run here. */
async function main(): Promise<number> {
  const command =
    process.env["CLIENT_GATEWAY"] ?? `${join(root, "dist", "claude-gateway")} --config {config}`;
  const missing = missingTools();
  if (
    process.env["CLIENT_GATEWAY"] === undefined &&
    !existsSync(join(root, "dist", "claude-gateway"))
  ) {
    missing.push("dist/claude-gateway (bun run build)");
  }
  if (missing.length > 0) {
    console.log(`client: cannot run, this machine lacks ${missing.join(", ")}`);
    return 2;
  }
  const checks = await run(command);
  for (const { name, passed, detail } of checks) {
    console.log(passed ? `ok ${name}` : `FAIL ${name}\n${detail.slice(-4000)}`);
  }
  const failed = checks.filter(({ passed }) => !passed).length;
  console.log(`client: ${checks.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function run(command: string): Promise<Check[]> {
  const client = await realClient();
  // Undone from the last to the first, however far it came.
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "gateway-journey-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const postgres = await startPostgres();
  started.defer(() => postgres.stop());
  const upstream = startUpstream(words);
  started.defer(() => upstream.stop());

  const port = freePort();
  const base = `http://localhost:${port}`;
  const idp = await startOidcProvider({ redirectUris: [`${base}/oauth/callback`] });
  started.defer(() => idp.close());
  const secrets = {
    client: idp.clientSecret,
    jwt: "only-for-this-test-0123456789abcdef",
    upstream: "sk-only-for-this-test",
  };
  const gateway = await startGateway(command, directory, {
    listen: { host: "127.0.0.1", port, public_url: base },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: secrets.client },
    session: { jwt_secret: secrets.jwt },
    store: { postgres_url: await postgres.createDatabase() },
    upstreams: [
      { provider: "anthropic", base_url: upstream.url, auth: { api_key: secrets.upstream } },
    ],
  });
  started.defer(() => gateway.stop().then(() => undefined));
  const workplace = await openWorkplace({
    forceLoginMethod: "gateway",
    forceLoginGatewayUrl: base,
  });
  started.defer(() => workplace.close());

  const answer = words.join("");
  const checks = await journey(workplace, { client, base, person, prompt, answer });
  if (existsSync(secondOpinion)) checks.push(await runSecondOpinion(base, client, answer));
  checks.push(...checkUpstream(upstream, secrets.upstream));
  const exitCode = await gateway.stop();
  checks.push({
    name: "the gateway ends with exit code 0",
    passed: exitCode === 0,
    detail: gateway.stderr(),
  });
  checks.push(...checkLog(gateway.stderr(), Object.values(secrets)));
  return checks;
}

async function runSecondOpinion(base: string, client: string, answer: string): Promise<Check> {
  const node = Bun.which("node") ?? process.execPath;
  const options = ["--base", base, "--claude", client, "--user", "bob", "--expect", answer];
  const { exitCode, output } = await runToItsEnd(
    [node, secondOpinion, ...options],
    secondOpinionSecondsMax,
  );
  return { name: "the driver beside this checkout agrees", passed: exitCode === 0, detail: output };
}

/** The upstream gets the gateway's credential and never the developer's. */
function checkUpstream({ seen }: Upstream, apiKey: string): Check[] {
  const inference = seen.filter(({ path }) => path === "/v1/messages");
  const odd = seen.filter(
    ({ headers }) => headers.get("x-api-key") !== apiKey || headers.has("authorization"),
  );
  const leaked = seen.filter(({ headers, body }) =>
    /\beyJ[\w-]+\.[\w-]+\./.test(JSON.stringify([...headers]) + body),
  );
  return [
    {
      name: "the upstream was asked for both answers",
      passed: inference.length >= 2,
      detail: `${inference.length} calls`,
    },
    {
      name: "every upstream call carries the gateway's key and no bearer",
      passed: odd.length === 0 && leaked.length === 0,
      detail: JSON.stringify(
        [...odd, ...leaked].map(({ path, headers }) => ({ path, headers: [...headers] })),
      ),
    },
  ];
}

/** The log says who asked, and nothing that opens a door. */
function checkLog(stderr: string, secrets: readonly string[]): Check[] {
  const events = stderr
    .split("\n")
    .flatMap((line): Record<string, unknown>[] => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const answered = events.filter(
    ({ evt, status, email }) =>
      evt === "inference" && status === 200 && email === `${person}@example.com`,
  );
  const leaks = [
    ...secrets.filter((secret) => stderr.includes(secret)),
    ...(stderr.match(/\beyJ[\w-]+\.[\w-]+\./g) ?? []),
  ];
  if (stderr.includes(prompt)) leaks.push("the prompt");
  return [
    {
      name: "the audit trail has the person's answered calls",
      passed: answered.length >= 2,
      detail: stderr,
    },
    {
      name: "the log holds no secret, no bearer and no prompt",
      passed: leaks.length === 0,
      detail: leaks.join(", "),
    },
  ];
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
