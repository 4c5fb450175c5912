// Which models two people get under different policies (policies.ts): what the client offers, what it does when another is
// asked for, and what the gateway answers to a client that does not know its settings.
import type { Check } from "./checks.ts";
import { credentialsIn } from "./credentials.ts";
import { denied, offered } from "./policies.ts";
import { look } from "./screen.ts";
import type { Seat } from "./seat.ts";

const printSecondsMax = 60;
const refusal = `model ${denied.id} is not in your role's availableModels allowlist`;

/** Under a policy that offers one model. */
export async function checkOneModel(seat: Seat, prompt: string, check: Check): Promise<void> {
  const { scene, workplace } = seat;
  const { options, screen } = await modelsShown(seat);
  check(
    "`/model` offers nothing but the policy's model",
    options.length > 0 &&
      options.every((option) => offered.shown.test(option) && !denied.shown.test(option)),
    screen,
  );

  const before = scene.upstream.calls.length;
  const insisting = [scene.client, "-p", prompt, "--model", denied.id];
  const { output } = await workplace.run(insisting, printSecondsMax);
  check(
    "asked for another model, the client says that it is restricted and takes the policy's",
    output.includes(`Model "${denied.id}" is restricted by your organization's settings`) &&
      output.includes(scene.answer),
    output,
  );

  // A machine whose settings name no gateway: this client reads the gateway's no more than a foreign one does.
  const { jwt: bearer } = await credentialsIn(workplace);
  const elsewhere = await scene.openWorkplace({});
  const bypassing = await elsewhere.run(insisting, printSecondsMax, {
    ANTHROPIC_BASE_URL: scene.base,
    ANTHROPIC_AUTH_TOKEN: bearer,
  });
  check(
    "a client that was kept from its settings prints the gateway's 400",
    bypassing.exitCode === 1 && bypassing.output.includes(`API Error: 400 ${refusal}`),
    bypassing.output,
  );

  const response = await fetch(`${scene.base}/v1/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: denied.id,
      max_tokens: 16,
      messages: [{ role: "user", content: prompt }],
    }),
  });
  const body: unknown = await response.json();
  const wanted = {
    type: "error",
    request_id: response.headers.get("x-request-id"),
    error: { type: "invalid_request_error", message: refusal },
  };
  check(
    "the 400 is the contract's, word by word",
    response.status === 400 && Bun.deepEquals(body, wanted),
    `${response.status} ${JSON.stringify(body)}`,
  );

  const models = scene.upstream.calls.slice(before).map(({ model }) => model);
  check(
    "the upstream is asked for no model but the policy's",
    models.length > 0 && models.every((model) => model.startsWith(offered.id)),
    models.join(", "),
  );
}

/** Under a policy that says nothing about models. */
export async function checkEveryModel(seat: Seat, prompt: string, check: Check): Promise<void> {
  const { scene, workplace } = seat;
  const { options, screen } = await modelsShown(seat);
  check(
    "`/model` offers other models, too",
    options.some((option) => denied.shown.test(option)),
    screen,
  );
  const { output } = await workplace.run(
    [scene.client, "-p", prompt, "--model", denied.id],
    printSecondsMax,
  );
  check(
    `${denied.id} answers`,
    output.includes(scene.answer) && scene.upstream.calls.at(-1)?.model === denied.id,
    output,
  );
}

/** The numbered lines of the client's choice of models. */
async function modelsShown({ terminal }: Seat): Promise<{ options: string[]; screen: string }> {
  const screen = await look(terminal, { command: "/model", view: /Select model/ });
  return { screen, options: screen.split("\n").filter((line) => /^\s*❯?\s*\d+\. /.test(line)) };
}
