// A gateway's day in a network namespace of its own, watched: `bun test/image/days-work.ts EXECUTABLE DIRECTORY` prints what was
// answered and which addresses were seen, as JSON. Started by network.test.ts, in a namespace that has nothing but its loopback.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../support/calls.ts";
import { cloudAnswer } from "../support/clouds.ts";
import { everyProvider, modelsOfEach } from "../support/every-provider.ts";
import { openScene, type Scene, startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { startCollector } from "../telemetry/collector.ts";
import { seenIn, watched, type Seen } from "./addresses.ts";

/** What one gateway did, and where it was told to go. */
export type Work = { statuses: number[]; configured: string[]; listening: string; seen: Seen[] };
export type Day = { resolvers: string[]; works: Record<"all" | "chain" | "nowhere", Work> };

const [executable = "", directory = ""] = process.argv.slice(2);
const clouds = startUpstream();
clouds.answer = (seen) => cloudAnswer(seen, "answers");
const collector = startCollector();

/** Everything that is configured goes to this machine, with credentials that are written down. */
function configureAll(config: any): void {
  config.upstreams = everyProvider(clouds.url);
  config.models = modelsOfEach;
  config.admin = {};
  config.telemetry = {
    forward_to: [
      {
        url: collector.url,
        metrics: true,
        logs: true,
        traces: true,
        requests: true,
        gateway_metrics: true,
      },
    ],
  };
}

/** AWS's credentials are left to its default chain, which asks the machine that it is on. */
function configureChain(config: any): void {
  const [, bedrock] = everyProvider(clouds.url);
  config.upstreams = [{ ...bedrock, auth: {} }];
  config.models = modelsOfEach.slice(1, 2);
}

/** An upstream whose name nobody knows. */
function configureNowhere(config: any): void {
  config.upstreams = [{ ...config.upstreams[0], base_url: "https://upstream.invalid" }];
}

async function watch(
  name: string,
  configure: (config: any) => void,
  work: (scene: Scene) => Promise<number[]>,
): Promise<Work> {
  const trace = join(directory, name);
  const scene = await openScene(configure, {}, watched([executable], trace));
  const statuses = await work(scene);
  statuses.push(await scene.gateway.stop("SIGTERM"));
  await scene.stop();
  const { store, listen } = scene.config as {
    store: { postgres_url: string };
    listen: { port: number };
  };
  const urls = [
    store.postgres_url,
    scene.idp.issuer,
    scene.upstream.url,
    clouds.url,
    collector.url,
  ];
  return {
    statuses,
    configured: urls.map((url) => new URL(url).port),
    listening: String(listen.port),
    seen: seenIn(trace),
  };
}

const statusesOf = (answers: readonly Response[]) => answers.map(({ status }) => status);

async function everything(scene: Scene): Promise<number[]> {
  const { signIn, refresh } = deviceFlow(scene);
  const { access_token: bearer, refresh_token: refreshToken } = await signIn();
  const answers = [await refresh(refreshToken ?? "")];
  for (const { id } of modelsOfEach) {
    answers.push(await ask(scene, id, { bearer }));
    answers.push(await ask(scene, id, { bearer, fields: { stream: true } }));
    answers.push(await ask(scene, id, { bearer, path: "/v1/messages/count_tokens" }));
  }
  for (const path of ["/v1/metrics", "/managed/settings", "/v1/models", "/readyz"]) {
    const isExport = path === "/v1/metrics";
    const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
    const init = isExport ? { method: "POST", body: '{"resourceMetrics":[]}' } : {};
    answers.push(await fetch(scene.gateway.url + path, { ...init, headers }));
  }
  for (const answer of answers) await answer.text();
  return statusesOf(answers);
}

const once = (model: string) => async (scene: Scene) => statusesOf([await ask(scene, model)]);

const day: Day = {
  resolvers: [...readFileSync("/etc/resolv.conf", "utf8").matchAll(/^nameserver\s+(\S+)/gm)].map(
    ([, address = ""]) => (address.includes(":") ? `[${address}]:53` : `${address}:53`),
  ),
  works: {
    all: await watch("all", configureAll, everything),
    chain: await watch("chain", configureChain, once("on-bedrock")),
    nowhere: await watch("nowhere", configureNowhere, once("claude-sonnet-4-6")),
  },
};
await Bun.write(Bun.stdout, JSON.stringify(day));
process.exit(0);
