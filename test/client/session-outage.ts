// An identity provider that answers 503 for a while: nobody is signed out by that. Whoever has a bearer that is still good goes
// on with it, and whoever has none goes on when the provider is back, with what was kept.
import { startHostileIdp } from "../support/hostile-idp.ts";
import { type Credentials, credentialsIn } from "./credentials.ts";
import type { Scene } from "./scene.ts";
import { enterLine, lastSaid, untilShown } from "./screen.ts";
import type { SessionJourney } from "./sessions.ts";
import { signIn } from "./sign-in.ts";

const answerSecondsMax = 60;
const printSecondsMax = 60;
const lookEveryMs = 250;

/** What the client says of a refresh that fails, for whatever reason: at a start, and in the middle of a conversation. */
const saysExpired = /no longer accepts this session|session expired/;
const saysExpiredInTerminal = lastSaid("API Error: Cloud gateway session expired");

export type FailingIdp = Awaited<ReturnType<typeof startFailingIdp>>;

/** An identity provider that signs one person in without asking, and answers 503 to whoever wants tokens while it is down. */
export async function startFailingIdp() {
  const idp = await startHostileIdp();
  const pages = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch({ url }) {
      const asked = new URL(url);
      const callback = new URL(asked.searchParams.get("redirect_uri") ?? "");
      callback.search = idp.authorize(asked).toString();
      return Response.redirect(callback.href);
    },
  });
  idp.bend.discoveryAnswer = (document) =>
    Response.json({ ...document, authorization_endpoint: pages.url.href });
  return {
    issuer: idp.issuer,
    clientId: idp.clientId,
    clientSecret: idp.clientSecret,
    person: "ada",
    setDown(isDown: boolean): void {
      idp.bend.tokenAnswer = isDown
        ? () => new Response("try again", { status: 503, headers: { "retry-after": "1" } })
        : undefined;
    },
    async close(): Promise<void> {
      await Promise.all([idp.close(), pages.stop(true)]);
    },
  };
}

/** Each thing that the developer would notice is one check. */
export async function sessionOutage(
  scene: Scene,
  { idp, person, prompt, check }: SessionJourney & { idp: FailingIdp },
): Promise<void> {
  const workplace = await scene.openWorkplace();
  const terminal = workplace.openTerminal([scene.client]);
  const print = () => workplace.run([scene.client, "-p", prompt], printSecondsMax);
  await signIn(terminal, { base: scene.base, person, check });

  const refreshed = await print();
  const kept = await credentialsIn(workplace);
  check("before it `claude -p` refreshes and is answered", isAnswered(refreshed), refreshed.output);

  idp.setDown(true);
  const meanwhile = await print();
  check(
    "a bearer that is still good serves on while it cannot be refreshed",
    isAnswered(meanwhile) && failedRefreshes(scene) > 0,
    meanwhile.output,
  );

  while (Date.now() <= kept.expiresAt) await Bun.sleep(lookEveryMs);
  const callsBefore = scene.upstream.calls.length;
  const expired = await print();
  check(
    "without one `claude -p` ends with 1 and says that the session has expired",
    expired.exitCode === 1 && saysExpired.test(expired.output),
    expired.output,
  );
  await enterLine(terminal, prompt);
  const screen = await untilShown(terminal, saysExpiredInTerminal, answerSecondsMax);
  check("an open client says so, too", saysExpiredInTerminal.test(screen), screen);
  check(
    "the upstream was asked for nothing by either",
    scene.upstream.calls.length === callsBefore,
    `${scene.upstream.calls.length - callsBefore} calls`,
  );
  const now = await credentialsIn(workplace);
  check("the client keeps what it had", Bun.deepEquals(now, kept), differing(kept, now));
  check(
    "no refresh was answered that the session has ended",
    refreshes(scene).every(({ answer }) => answer !== "invalid_grant"),
    JSON.stringify(refreshes(scene)),
  );

  idp.setDown(false);
  const again = await print();
  check("once it is back, `claude -p` is answered", isAnswered(again), again.output);
  await enterLine(terminal, prompt);
  const answer = lastSaid(scene.answer);
  const answered = await untilShown(terminal, answer, answerSecondsMax);
  check("so is the open client, with no new sign-in", answer.test(answered), answered);
  const mints = scene.gateway.audit("session.mint");
  check("there was one sign-in in all", mints.length === 1, JSON.stringify(mints));

  function isAnswered({ exitCode, output }: Awaited<ReturnType<typeof print>>): boolean {
    return exitCode === 0 && output.includes(scene.answer);
  }
}

function refreshes({ gateway }: Scene) {
  return gateway.audit("session.refresh");
}

function failedRefreshes(scene: Scene): number {
  return refreshes(scene).filter(({ answer }) => answer === "temporarily_unavailable").length;
}

/** Names only: the values are tokens. */
function differing(some: Credentials, others: Credentials): string {
  const other = new Map(Object.entries(others));
  return Object.entries(some)
    .filter(([name, value]) => !Bun.deepEquals(value, other.get(name)))
    .map(([name]) => name)
    .join(", ");
}
