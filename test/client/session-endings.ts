// The two ways in which a session ends before its time: the developer signs out, or an administrator signs the developer out.
// What the client kept must be worth nothing then, at every replica; the client must say what to do; and what comes of a new
// sign-in must be worth as much as the first.
import type { Check } from "./checks.ts";
import { type Credentials, credentialsIn, hasCredentials, takeForExpired } from "./credentials.ts";
import type { GatewayProcess } from "./gateway.ts";
import type { Scene } from "./scene.ts";
import { enterLine, lastSaid, untilShown } from "./screen.ts";
import type { SessionJourney } from "./sessions.ts";
import { signIn } from "./sign-in.ts";
import type { Terminal, Workplace } from "./terminal.ts";

const answerSecondsMax = 60;
const printSecondsMax = 60;
const signOutSecondsMax = 30;

/** Within this time every replica knows of what ended at another. */
const everywhereSecondsMax = 5;
const lookEveryMs = 100;

/** What `claude -p` says when its settings are refused at the start. */
const signInAgain =
  /no longer accepts this session\. Start `claude` and sign in again with \/login\./;

/** Where a developer sits: a machine, and the client in its terminal, waiting for a question. */
export type Place = { workplace: Workplace; terminal: Terminal };

type Stage = Place & {
  scene: Scene;
  replica: { url: string; gateway: GatewayProcess };
  journey: SessionJourney & { adminKey: string };
};

/** Each thing that the developer or the administrator would notice is one check. Returns what is left: all is signed in. */
export async function sessionEndings(
  scene: Scene,
  journey: Stage["journey"],
): Promise<{ place: Place; refreshTokens: string[] }> {
  const { person, prompt, check } = journey;
  const replica = await scene.openReplica();
  const workplace = await scene.openWorkplace();
  const terminal = workplace.openTerminal([scene.client]);
  const stage = { scene, replica, workplace, terminal, journey };
  const refreshTokens: string[] = [];

  await signIn(terminal, { base: scene.base, person, check });
  await enterLine(terminal, prompt);
  await untilShown(terminal, new RegExp(scene.answer), answerSecondsMax);
  for (const [title, end] of [
    ["signing out", signOut],
    ["an administrator's sign-out", signOutAsAdministrator],
  ] as const) {
    const checkOfEnding: Check = (name, ...found) => check(`${title}: ${name}`, ...found);
    const kept = await credentialsIn(workplace);
    refreshTokens.push(kept.idpRefreshToken ?? "");
    const before = await askWith(kept, replica.url);
    checkOfEnding("another replica took the bearer before", before.status === 200, shown(before));
    await end(stage, kept, checkOfEnding);
    await checkOpenWindow(stage, checkOfEnding);
  }
  await checkSignedIn(stage);
  return { place: { workplace, terminal }, refreshTokens };
}

async function signOut(stage: Stage, kept: Credentials, check: Check): Promise<void> {
  const { scene, workplace, journey } = stage;
  const { exitCode, output } = await workplace.run(
    [scene.client, "auth", "logout"],
    signOutSecondsMax,
  );
  const forgets = exitCode === 0 && !(await hasCredentials(workplace));
  check("the client says that it did, and keeps nothing", forgets, output);
  await checkWorthless(stage, kept, check);

  // It sends both tokens at once: they are of one session, which ends once.
  const revoked = scene.gateway.audit("session.revoke");
  const isTold = revoked.every(({ sub, result }) => sub === journey.person && result === "success");
  check(
    "the audit trail says whose session ended",
    revoked.length === 1 && isTold,
    JSON.stringify(revoked),
  );
}

async function signOutAsAdministrator(
  stage: Stage,
  kept: Credentials,
  check: Check,
): Promise<void> {
  const { scene, workplace, journey } = stage;
  const response = await fetch(`${scene.base}/v1/organizations/sign_outs`, {
    method: "POST",
    headers: { "x-api-key": journey.adminKey, "content-type": "application/json" },
    body: JSON.stringify({ user_id: journey.person }),
  });
  check("it is done", response.status === 200, await response.text());
  await checkWorthless(stage, kept, check);
  const [told] = scene.gateway.audit("admin.sign_out");
  check(
    "the audit trail says who signed out whom",
    told?.["actor"] === "admin-key:it" && told["target"] === journey.person,
    JSON.stringify(told),
  );

  const callsBefore = scene.upstream.calls.length;
  const print = [scene.client, "-p", journey.prompt];
  const first = await workplace.run(print, printSecondsMax);
  check(
    "the next `claude -p` ends with 1 and says to sign in again",
    first.exitCode === 1 && signInAgain.test(first.output),
    first.output,
  );

  const refusedBefore = refusedRefreshes(scene);
  await takeForExpired(workplace);
  const second = await workplace.run(print, printSecondsMax);
  check(
    "the client tries to refresh, and is refused",
    second.exitCode === 1 &&
      signInAgain.test(second.output) &&
      refusedRefreshes(scene) > refusedBefore,
    second.output,
  );
  const { idpRefreshToken } = await credentialsIn(workplace);
  check("it drops the refresh token", idpRefreshToken === undefined, "it is still there");
  check(
    "the upstream was asked for nothing meanwhile",
    scene.upstream.calls.length === callsBefore,
    `${scene.upstream.calls.length - callsBefore} calls`,
  );
}

/** That nobody gets anything for what the client kept: at once where the session was ended, soon at the other replica. */
async function checkWorthless(stage: Stage, kept: Credentials, check: Check): Promise<void> {
  const { scene, replica } = stage;
  const here = await askWith(kept, scene.base);
  check("the bearer is refused, with no retry wanted", isRefused(here), shown(here));
  await checkRefreshIsRefused("the refresh token is refused with invalid_grant", scene.base);

  // A bearer can be tried until it is refused. A refresh token that is not refused is used up.
  const until = Date.now() + everywhereSecondsMax * 1000;
  let there = await askWith(kept, replica.url);
  while (!isRefused(there) && Date.now() < until) {
    await Bun.sleep(lookEveryMs);
    there = await askWith(kept, replica.url);
  }
  const soon = `within ${everywhereSecondsMax} s another replica refuses the bearer`;
  check(soon, isRefused(there), shown(there));
  await checkRefreshIsRefused("it refuses the refresh token, too", replica.url);

  async function checkRefreshIsRefused(name: string, url: string): Promise<void> {
    const refreshed = await fetch(`${url}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: kept.idpRefreshToken ?? "",
      }),
    });
    const body = await refreshed.text();
    const isInvalid = refreshed.status === 401 && body === '{"error":"invalid_grant"}';
    check(name, isInvalid, `${refreshed.status} ${body}`);
  }
}

/** A client that was open all the while, and has its bearer in memory. */
async function checkOpenWindow(stage: Stage, check: Check): Promise<void> {
  const { scene, terminal, journey } = stage;
  await enterLine(terminal, journey.prompt);
  const refusal = lastSaid("Please run /login · API Error: 401");
  const refused = await untilShown(terminal, refusal, answerSecondsMax);
  check("an open client says at the next question to sign in", refusal.test(refused), refused);

  await enterLine(terminal, "/login");
  await signIn(terminal, { base: scene.base, person: journey.person, check });
  const answer = lastSaid(scene.answer);
  const answered = await untilShown(terminal, answer, answerSecondsMax);
  check("signed in there, it is answered what it had asked", answer.test(answered), answered);
}

async function checkSignedIn(stage: Stage): Promise<void> {
  const { scene, replica, workplace, journey } = stage;
  const printed = await workplace.run([scene.client, "-p", journey.prompt], printSecondsMax);
  const isAnswered = printed.exitCode === 0 && printed.output.includes(scene.answer);
  journey.check("after all of it `claude -p` is answered", isAnswered, printed.output);
  const elsewhere = await askWith(await credentialsIn(workplace), replica.url);
  journey.check(
    "after all of it another replica takes the bearer",
    elsewhere.status === 200,
    shown(elsewhere),
  );
}

type Answered = { status: number; retry: string | null; body: string };

async function askWith({ jwt }: Credentials, url: string): Promise<Answered> {
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${jwt}` } });
  const { status, headers } = response;
  return { status, retry: headers.get("x-should-retry"), body: await response.text() };
}

function isRefused({ status, retry }: Answered): boolean {
  return status === 401 && retry === "false";
}

function shown(answered: Answered): string {
  return JSON.stringify(answered);
}

function refusedRefreshes({ gateway }: Scene): number {
  return gateway.audit("session.refresh").filter(({ answer }) => answer === "invalid_grant").length;
}
