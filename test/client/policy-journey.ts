// Two people under different policies (policies.ts), and what the real client makes of the settings that each is served. Sign-in
// is in seat.ts, models in policy-models.ts, tools in policy-tools.ts; here is what the client says of the settings themselves.
import type { Check } from "./checks.ts";
import { expected } from "./policies.ts";
import { checkEveryModel, checkOneModel } from "./policy-models.ts";
import { checkTools } from "./policy-tools.ts";
import type { Scene } from "./scene.ts";
import { look } from "./screen.ts";
import { type Seat, settingsServed, takeSeat } from "./seat.ts";

const printSecondsMax = 60;

/** Each thing that one of the two would notice is one check. */
export async function policyJourney(
  scene: Scene,
  { prompt, check }: { prompt: string; check: Check },
): Promise<void> {
  for (const role of ["restricted", "other"] as const) {
    const checkOfRole: Check = (name, ...found) => check(`${role}: ${name}`, ...found);
    const seat = await takeSeat(scene, role, checkOfRole);
    await checkViews(seat, checkOfRole);
    const checkModels = role === "restricted" ? checkOneModel : checkEveryModel;
    await checkModels(seat, prompt, checkOfRole);
    await checkLaterStart(seat, prompt, checkOfRole);
    await checkTools(seat, checkOfRole);
  }
}

async function checkViews({ role, terminal }: Seat, check: Check): Promise<void> {
  const status = await look(terminal, { command: "/status", view: /Setting sources/ });
  check(
    "`/status` names the gateway's settings as in force",
    /Setting sources:.*Enterprise managed settings \(remote\)/.test(status),
    status,
  );
  const permissions = await look(terminal, {
    command: "/permissions",
    view: /Recently blocked/,
    pages: { wanted: /always reject requests/, key: "Right" },
  });
  const { denies } = expected[role];
  const shown = expected.restricted.denies.filter((rule) => permissions.includes(rule));
  check(
    `\`/permissions\` shows as denied: ${denies.join(", ")}`,
    Bun.deepEquals(shown, denies),
    permissions,
  );
}

/** The client holds settings already, and asks only whether they are still right. */
async function checkLaterStart(seat: Seat, prompt: string, check: Check): Promise<void> {
  const command = [seat.scene.client, "-p", prompt, "--debug-to-stderr"];
  const { output } = await seat.workplace.run(command, printSecondsMax);
  // 304 comes only when the client computes the same checksum of what it holds as the gateway of what it serves.
  check(
    "a later start is told by 304 that its settings still hold, and is sent no second copy",
    /Remote settings:.*304/.test(output) && settingsServed(seat).length === 1,
    output,
  );
}
