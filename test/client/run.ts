// `bun run test:client`: a stock Claude Code goes through its journeys with the built executable, each in a scene of its own
// (scene.ts), and a line is printed for everything that held or did not. Words after it choose among the stages:
// `bun run test:client telemetry`. CLIENT_GATEWAY names another gateway's command line with `{config}`; CLIENT_COLLECTOR is told of
// in telemetry.ts.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Check, createChecklist } from "./checks.ts";
import { journey } from "./journey.ts";
import { managed, people } from "./policies.ts";
import { policyJourney } from "./policy-journey.ts";
import { openScene, type Scene } from "./scene.ts";
import { sessionsEnd, sessionsOutlast } from "./sessions.ts";
import { telemetryArrives } from "./telemetry.ts";
import { missingTools, runToItsEnd } from "./terminal.ts";
import { checkTraces } from "./traces.ts";

const root = join(import.meta.dir, "..", "..");
const prompt = "say the two words";
/** Another driver of the same client, where it lies beside the checkout: a second opinion on the same gateway. */
const secondOpinion = join(root, "..", "shared", "real-client", "journey.mjs");
const secondOpinionSecondsMax = 240;

process.exit(await main());

/** @returns the exit code: 0 all checks passed, 1 not, 2 cannot be run here. */
async function main(): Promise<number> {
  const stages = { conversation, policies, telemetry, sessions };
  const words = process.argv.slice(2);
  const isStage = (word: string): word is keyof typeof stages => word in stages;
  const chosen = (words.length === 0 ? Object.keys(stages) : words).filter(isStage);
  if (chosen.length < words.length) {
    console.log(`usage: bun run test:client [${Object.keys(stages).join("|")} …]`);
    return 2;
  }
  const built = join(root, "dist", "claude-gateway");
  const command = process.env["CLIENT_GATEWAY"] ?? `${built} --config {config}`;
  const missing = missingTools();
  if (process.env["CLIENT_GATEWAY"] === undefined && !existsSync(built))
    missing.push("dist/claude-gateway (bun run build)");
  if (chosen.includes("telemetry") && Bun.which("node") === null) missing.push("node");
  if (missing.length > 0) {
    console.log(`client: cannot run, this machine lacks ${missing.join(", ")}`);
    return 2;
  }
  const { check, counts } = createChecklist(console.log);
  for (const stage of chosen) await stages[stage](command, check);
  console.log(`client: ${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 ? 0 : 1;
}

async function conversation(command: string, check: Check): Promise<void> {
  console.log("== a conversation");
  await using scene = await openScene(command);
  const person = "ada";
  await journey(scene, { person, prompt, check });
  if (existsSync(secondOpinion)) await askSecondOpinion(scene, check);
  await checkTraces(scene, { person, said: prompt, check });
}

async function policies(command: string, check: Check): Promise<void> {
  for (const documentKey of ["cli", "code"] as const) {
    console.log(`== policies, their settings under \`${documentKey}\``);
    await using scene = await openScene(command, { managed: managed(documentKey) });
    await policyJourney(scene, { prompt, check });
    await checkTraces(scene, { person: people.restricted, said: prompt, check });
  }
}

async function telemetry(command: string, check: Check): Promise<void> {
  console.log("== telemetry, in the organisation's own collector");
  await telemetryArrives(command, { prompt, check });
}

async function sessions(command: string, check: Check): Promise<void> {
  console.log("== sessions that are ended");
  await sessionsEnd(command, { prompt, check });
  console.log("== sessions while the identity provider cannot answer");
  await sessionsOutlast(command, { prompt, check });
}

async function askSecondOpinion({ base, client, answer }: Scene, check: Check): Promise<void> {
  const node = Bun.which("node") ?? process.execPath;
  const options = ["--base", base, "--claude", client, "--user", "bob", "--expect", answer];
  const { exitCode, output } = await runToItsEnd(
    [node, secondOpinion, ...options],
    secondOpinionSecondsMax,
  );
  check("the driver beside this checkout agrees", exitCode === 0, output);
}
