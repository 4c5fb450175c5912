// Every credential of every provider, marked, through a running gateway that logs all it can: what proves us to an upstream is
// sent there and appears nowhere else, whatever the upstream answers. What the developer is told besides is in providers.test.ts.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../support/calls.ts";
import { cloudAnswer, messageEvents } from "../support/clouds.ts";
import { chunkOf } from "../support/frames.ts";
import {
  account,
  ids,
  markedEnvironment,
  markedUpstreams,
  secret,
  secrets,
  tokenEndpoints,
} from "../support/marked-credentials.ts";
import { eventStream, openScene, type Seen, startUpstream } from "../support/scene.ts";

const directory = mkdtempSync(join(tmpdir(), "credentials-"));
const cloud = startUpstream();
const elsewhere = startUpstream();
const entries = markedUpstreams(directory, cloud.url);
const names = Object.keys(entries);
/** Those whose answers are handed over as they are: what they quote is between them and the developer. */
const isCloud = (name: string) => !name.startsWith("anthropic-");

const scene = await openScene(
  (config) => {
    config.upstreams = names.map((name) => ({
      name,
      base_url: `${cloud.url}/${name}`,
      headers: { "x-static": secret("static header") },
      compatibility: { learn: true },
      ...entries[name],
    }));
    config.models = names.map((name) => ({
      id: name,
      upstream_model: { [name]: "claude-opus-4-8" },
    }));
  },
  {
    CLAUDE_GATEWAY_LOG_LEVEL: "debug",
    // With any of these the runtime or a library prints what it sends.
    BUN_CONFIG_VERBOSE_FETCH: "curl",
    DEBUG: "*",
    NODE_DEBUG: "*",
    AZURE_LOG_LEVEL: "verbose",
    GOOGLE_SDK_NODE_LOGGING: "*",
    ...markedEnvironment(cloud.url),
  },
);
afterAll(async () => {
  await Promise.all([scene, cloud, elsewhere].map((each) => each.stop()));
  rmSync(directory, { recursive: true });
});

const prompt = "a prompt that nobody logs";
/** Everything that clients were given. */
const answers: { of: string; text: string }[] = [];

/** One call of each kind to each of these upstreams. */
async function askAll(of: readonly string[] = names): Promise<void> {
  const calls = of.flatMap((name) => [
    { name, fields: {} },
    { name, fields: { stream: true } },
    { name, fields: {}, path: "/v1/messages/count_tokens" as const },
  ]);
  await Promise.all(
    calls.map(async ({ name, fields, ...rest }) => {
      const messages = [{ role: "user", content: prompt }];
      const response = await ask(scene, name, { ...rest, fields: { ...fields, messages } });
      const headers = JSON.stringify([...response.headers]);
      const body = await response.text().catch(String);
      answers.push({ of: name, text: `${response.status} ${headers} ${body}` });
      // Whatever the log says of it stands before this, or comes with it.
      await scene.gateway.waitForLog(new RegExp(`"${response.headers.get("x-request-id")}"`));
    }),
  );
}

/** What a talkative upstream says: the headers it was sent, and as AWS does of a wrong signature, the request to be signed. */
function quotedFrom({ headers }: Seen): string {
  // No reader can tell that these are secret, or for whom.
  const lines = [...headers].filter(([name]) => name !== "x-static" && name !== "host");
  const canonical = lines.map(([name, value]) => `${name}:${value}`).join("\n");
  return (
    "The request signature we calculated does not match. The Canonical String for this request should have been\n" +
    `'POST\n/model\n\n${canonical}' in account ${account} ${JSON.stringify(Object.fromEntries(lines))}`
  );
}

function playEverything(api: (seen: Seen) => Response, tokens?: (seen: Seen) => Response): void {
  cloud.answer = (seen) => {
    const endpoint = tokenEndpoints[seen.url.split("?")[0] ?? ""];
    if (endpoint === undefined) return api(seen);
    return tokens?.(seen) ?? endpoint();
  };
}

beforeAll(async () => {
  // Whoever gives out credentials refuses first, and quotes what it was sent. Failures are kept for a second.
  const quoting = (seen: Seen) =>
    `${quotedFrom(seen)} ${seen.url} ${decodeURIComponent(Buffer.from(seen.body).toString())}`;
  playEverything(
    () => new Response("", { status: 500 }),
    (seen) =>
      Response.json(
        { error: "invalid_grant", error_description: quoting(seen), message: quoting(seen) },
        { status: 403 },
      ),
  );
  await askAll();
  await Bun.sleep(1_050);
  playEverything((seen) => cloudAnswer(seen, "answers"));
  await askAll();
});

test("every upstream was reached with its credential", () => {
  const sent = cloud.seen.map(({ url, headers, body }) =>
    [url, JSON.stringify([...headers]), decodeURIComponent(Buffer.from(body).toString())].join(" "),
  );
  const isSent = (mark: string) => sent.some((text) => text.includes(mark));
  const neverSent = Object.keys(secrets).filter((name) => !isSent(secrets[name] ?? ""));
  // What signs stays here.
  expect(neverSent).toEqual(Object.keys(secrets).filter((name) => name.endsWith("signing key")));
  for (const name of names)
    expect(answers.filter(({ of, text }) => of === name && text.startsWith("200 ")).length).toBe(3);
});

test.each([400, 401, 403, 404, 413, 422, 429, 500, 501, 503, 529])(
  "a %d that quotes the request shows none of them",
  async (status) => {
    const saying = (bodyOf: (message: string) => object) =>
      playEverything((seen) => {
        const message = quotedFrom(seen);
        const headers = { "x-echo": message.replaceAll("\n", " ") };
        return Response.json(bodyOf(message), { status, headers });
      });
    saying((message) => ({ message }));
    await askAll(names.filter(isCloud));
    saying((message) => ({ type: "error", error: { type: "invalid_request_error", message } }));
    await askAll(names.filter(isCloud));
    playEverything(() => Response.json({ type: "error" }, { status }));
    await askAll(names.filter((name) => !isCloud(name)));
    expectNothingShown();
  },
);

test("a redirect takes them nowhere", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    playEverything(() => Response.redirect(`${elsewhere.url}/stolen`, status));
    await askAll();
  }
  expect(elsewhere.seen).toEqual([]);
  expectNothingShown();
});

test.each([
  ["a body that breaks off", (seen: Seen) => cloudAnswer(seen, "breaks off")],
  [
    "an answer that is none, and quotes the request",
    (seen: Seen) => new Response(quotedFrom(seen)),
  ],
  [
    "an event stream that ends in an error, and quotes the request",
    (seen: Seen) => {
      const message = quotedFrom(seen);
      const isBedrock = seen.url.endsWith("/invoke-with-response-stream");
      const [start = { type: "" }] = messageEvents;
      const error = { type: "error", error: { type: "api_error", message } };
      return new Response(
        isBedrock
          ? Buffer.concat([
              chunkOf(JSON.stringify(start)),
              chunkOf(JSON.stringify(error)),
              Buffer.from(message),
            ])
          : eventStream([start, error]),
        {
          headers: {
            "content-type": isBedrock ? "application/vnd.amazon.eventstream" : "text/event-stream",
          },
        },
      );
    },
  ],
] as const)("%s shows none of them", async (_, answer) => {
  playEverything(answer);
  await askAll(names.filter(isCloud));
  expectNothingShown();
});

test("where nobody answers none of them is shown", async () => {
  await cloud.stop();
  await askAll();
  expectNothingShown();
});

function expectNothingShown(): void {
  const shownIn = (text: string, marks: Record<string, string>) =>
    Object.keys(marks).filter((name) =>
      spellings(marks[name] ?? "").some((spelling) => text.includes(spelling)),
    );
  const given = answers.map(({ text }) => text).join("\n");
  expect(shownIn(given, { ...secrets, ...ids, cloud: new URL(cloud.url).host })).toEqual([]);
  expect(shownIn(scene.gateway.stderr(), { ...secrets, prompt })).toEqual([]);
}

/** As it is, and as it would be quoted in an encoding. */
function spellings(mark: string): string[] {
  const base64 = Buffer.from(mark).toString("base64").replaceAll("=", "");
  return [mark, encodeURIComponent(mark), base64];
}
