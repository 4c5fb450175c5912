// One person's sign-in to a running gateway, and one streamed answer, over HTTP only: each step is the one that Claude
// Code, the browser and the identity provider would take. browser.ts is the browser; nothing here reaches into the gateway.
import { createBrowser, type Send, visibleText } from "./browser.ts";
import type { PersonId } from "./people.ts";

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
/** The grant is approved before the first poll: a second one is a courtesy, and a third would hide a fault. */
const pollsMax = 2;

/**
 * Signs a person in by the device grant (RFC 8628): asks for a code, approves it in a browser by way of the demo's
 * identity provider, and collects the tokens. Throws an Error that says which step failed, and what its page said.
 */
export async function signIn(o: { gatewayUrl: string; person: PersonId; fetch?: Send }): Promise<{
  accessToken: string;
  refreshToken?: string;
  expiresInSeconds: number;
}> {
  const send = o.fetch ?? fetch;
  const device = await postForm(send, `${o.gatewayUrl}/oauth/device_authorization`, {
    surface: "claude_code",
  });
  if (device.status !== 200) throw new Error(`device authorization: ${describe(device)}`);

  const browser = createBrowser(send);
  const verification = await browser.open(textField(device.body, "verification_uri_complete"));
  const whoAreYou = await browser.submit(verification, {
    user_code: textField(device.body, "user_code"),
  });
  const end = await browser.submit(whoAreYou, { login: o.person });

  for (let poll = 1; ; poll += 1) {
    const answer = await postForm(send, `${o.gatewayUrl}/oauth/token`, {
      grant_type: deviceGrant,
      device_code: textField(device.body, "device_code"),
    });
    if (answer.status === 200) return readTokens(answer.body);
    const waiting =
      answer.body["error"] === "authorization_pending" || answer.body["error"] === "slow_down";
    if (!waiting || poll === pollsMax)
      throw new Error(`token: ${describe(answer)}; the browser shows: ${visibleText(end)}`);
    await Bun.sleep(Number(device.body["interval"] ?? 5) * 1000);
  }
}

/** Asks for one streamed answer and writes its text as it arrives. Throws an Error with the gateway's own message. */
export async function streamOneAnswer(o: {
  gatewayUrl: string;
  accessToken: string;
  model: string;
  prompt: string;
  write: (text: string) => void;
}): Promise<void> {
  const response = await fetch(`${o.gatewayUrl}/v1/messages`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${o.accessToken}`,
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
    },
    body: JSON.stringify({
      model: o.model,
      max_tokens: 300,
      stream: true,
      messages: [{ role: "user", content: o.prompt }],
    }),
  });
  if (response.status !== 200 || response.body === null)
    throw new Error(errorMessage(await response.text()));

  let buffered = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (buffered + chunk).split("\n");
    buffered = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const event = parse(line.slice("data:".length));
      if (event["type"] === "error") throw new Error(errorMessage(line.slice("data:".length)));
      if (event["type"] === "message_stop") return;
      const delta = event["delta"];
      if (isObject(delta) && typeof delta["text"] === "string") o.write(delta["text"]);
    }
  }
  throw new Error("the answer was cut off");
}

type Answer = { status: number; body: Record<string, unknown> };

async function postForm(send: Send, url: string, fields: Record<string, string>): Promise<Answer> {
  const response = await send(url, {
    method: "POST",
    body: new URLSearchParams(fields),
    redirect: "error",
  });
  return { status: response.status, body: parse(await response.text()) };
}

function readTokens(body: Record<string, unknown>) {
  const refreshToken = body["refresh_token"];
  return {
    accessToken: textField(body, "access_token"),
    expiresInSeconds: Number(body["expires_in"]),
    ...(typeof refreshToken === "string" ? { refreshToken } : {}),
  };
}

function textField(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== "string") throw new Error(`the gateway's answer has no ${name}`);
  return value;
}

function describe(answer: Answer): string {
  return `${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`;
}

function errorMessage(text: string): string {
  const error = parse(text)["error"];
  return isObject(error) && typeof error["message"] === "string"
    ? error["message"]
    : text.slice(0, 300);
}

/** The JSON object in the text, or an empty one. */
function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
