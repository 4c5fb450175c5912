// What journeys leave behind, looked at when they are over: what the upstream was sent, and what the gateway logged.
import type { Check } from "./checks.ts";
import type { Scene } from "./scene.ts";

const bearer = /\beyJ[\w-]+\.[\w-]+\./g;

/** Ends the gateway, too. @param said what was said to the model and must not be in the log. */
export async function checkTraces(
  { gateway, upstream, secrets }: Scene,
  { person, said, check }: { person: string; said: string; check: Check },
): Promise<void> {
  checkUpstream(upstream.seen, secrets.upstream, check);
  const exitCode = await gateway.stop();
  check("the gateway ends with exit code 0", exitCode === 0, gateway.stderr());

  const answered = gateway
    .audit("inference")
    .filter(({ status, email }) => status === 200 && email === `${person}@example.com`);
  check("the audit trail has the person's answered calls", answered.length >= 2, gateway.stderr());
  const leaks = leaksIn(gateway.stderr(), secrets, [said]);
  check("the log holds no secret, no bearer and no prompt", leaks.length === 0, leaks.join(", "));
}

/** What stands in a text that must not: secrets, bearers, what was said. */
export function leaksIn(text: string, secrets: Scene["secrets"], said: string[]): string[] {
  const wanted = [...Object.values(secrets), ...said];
  return [...wanted.filter((each) => text.includes(each)), ...(text.match(bearer) ?? [])];
}

/** The upstream gets the gateway's credential and never the developer's. */
function checkUpstream(seen: Scene["upstream"]["seen"], apiKey: string, check: Check): void {
  const inference = seen.filter(({ path }) => path === "/v1/messages");
  check(
    "the upstream was asked for the answers",
    inference.length >= 2,
    `${inference.length} calls`,
  );
  const wrong = seen.filter(
    ({ headers, body }) =>
      headers.get("x-api-key") !== apiKey ||
      headers.has("authorization") ||
      (JSON.stringify([...headers]) + body).search(bearer) !== -1,
  );
  check(
    "every upstream call carries the gateway's key and no bearer",
    wrong.length === 0,
    JSON.stringify(wrong.map(({ path, headers }) => ({ path, headers: [...headers] }))),
  );
}
