// Sessions that must end, and those that must not: what the real client makes of a sign-out, its own or an administrator's
// (session-endings.ts), of answers that break off under it (broken-answers.ts), and of an identity provider that is down
// (session-outage.ts).
import { checkBrokenAnswers } from "./broken-answers.ts";
import type { Check } from "./checks.ts";
import { openScene } from "./scene.ts";
import { sessionEndings } from "./session-endings.ts";
import { sessionOutage, startFailingIdp } from "./session-outage.ts";
import { checkTraces, leaksIn } from "./traces.ts";

const person = "ada";
const adminKey = "sk-only-for-this-test-0123456789abcdef";

/** Life of a bearer where it has to end: nobody should wait for long, and the client has to be faster. */
const bearerSeconds = 30;

export type SessionJourney = { person: string; prompt: string; check: Check };

/** @param command the gateway's, as scene.ts has it */
export async function sessionsEnd(
  command: string,
  { prompt, check }: Omit<SessionJourney, "person">,
): Promise<void> {
  await using scene = await openScene(command, {
    admin: { write_keys: [{ id: "it", key: adminKey }] },
  });
  const journey = { person, adminKey, prompt, check };
  const { place, refreshTokens } = await sessionEndings(scene, journey);
  await checkBrokenAnswers(scene, { place, prompt, check });
  await checkTraces(scene, { person, said: prompt, check });
  const leaks = leaksIn(scene.gateway.stderr(), scene.secrets, [adminKey, ...refreshTokens]);
  check(
    "nor does it hold a refresh token or the administrator's key",
    refreshTokens.length > 0 && leaks.length === 0,
    leaks.join(", "),
  );
}

/** @param command as above */
export async function sessionsOutlast(
  command: string,
  { prompt, check }: Omit<SessionJourney, "person">,
): Promise<void> {
  const idp = await startFailingIdp();
  const session = { ttl_hours: bearerSeconds / 3600 };
  await using scene = await openScene(command, { session }, async () => idp);
  await sessionOutage(scene, { idp, person: idp.person, prompt, check });
  await checkTraces(scene, { person: idp.person, said: prompt, check });
}
