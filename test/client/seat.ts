// A developer in front of the client: signed in as one of the two people of policies.ts, on the first screen under the
// settings that the gateway serves.
import type { Check } from "./checks.ts";
import { expected, marker, people, type Role } from "./policies.ts";
import type { Scene } from "./scene.ts";
import { signIn } from "./sign-in.ts";
import type { Terminal, Workplace } from "./terminal.ts";

export type Seat = { scene: Scene; role: Role; workplace: Workplace; terminal: Terminal };

/** Signs in at a new place and checks that the settings have arrived. */
export async function takeSeat(scene: Scene, role: Role, check: Check): Promise<Seat> {
  const { policyIndex, announcement } = expected[role];
  const workplace = await scene.openWorkplace();
  const terminal = workplace.openTerminal([scene.client]);
  const screens = await signIn(terminal, { base: scene.base, person: people[role], check });
  const seat = { scene, role, workplace, terminal };

  const served = settingsServed(seat);
  check(
    "the gateway serves the settings of this person's policy",
    served.length === 1 && served[0]?.["policy_index"] === policyIndex,
    JSON.stringify(served),
  );
  const consent = screens.find((screen) => /require approval/i.test(screen)) ?? "";
  check(
    "the client asks for consent to the variable in them",
    consent.includes(marker),
    screens.join("\n"),
  );
  const screen = screens.at(-1) ?? "";
  if (announcement !== undefined)
    check("the policy's announcement is shown", screen.includes(announcement), screen);
  return seat;
}

/** The audit events of settings that this person was sent. */
export function settingsServed({ scene, role }: Seat) {
  return scene.gateway.audit("managed.serve").filter(({ sub }) => sub === people[role]);
}
