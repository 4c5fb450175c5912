// Canaries in the log: unique words stand wherever a person or a model says something, and marks wherever there is a credential,
// through a day in which calls end in every way, at each of two levels. No credential is in any line at debug level, and no word of
// a conversation in any line at the default level, although every provider repeats the prompt in its errors.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, type CallInit } from "../support/calls.ts";
import { chunkOf, exceptionOf } from "../support/frames.ts";
import {
  markedEnvironment,
  markedUpstreams,
  secrets,
  tokenEndpoints,
} from "../support/marked-credentials.ts";
import { readerOf } from "../support/metered-answers.ts";
import { type OwnPostgres, startOwnPostgres } from "../support/postgres.ts";
import { eventStream, openScene, type Scene, type Seen, startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { startCollector } from "../telemetry/collector.ts";

const serial = crypto.randomUUID().slice(0, 8);
/** Words of conversations, and credentials beside those of upstreams, by what they are. */
const words: Record<string, string> = {};
const keys: Record<string, string> = {};
const markIn = (marks: Record<string, string>) => (name: string) =>
  (marks[name] ??= `canary${name.replaceAll(/\W/g, "")}${serial}`);
/** Those that the IdP gives out, and quotes when it refuses. */
const tokensOfIdp: Record<string, string> = {};
const word = markIn(words);
const key = (name: string) => markIn(keys)(name).padEnd(32, "0");
const tokenOfIdp = markIn(tokensOfIdp);

const call = {
  system: [{ type: "text", text: word("system prompt") }],
  messages: [
    { role: "user", content: word("prompt") },
    {
      role: "assistant",
      content: [
        { type: "tool_use", id: "t", name: word("tool"), input: { a: word("tool input") } },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "t", content: word("tool result") },
        {
          type: "document",
          source: { type: "text", media_type: "text/plain", data: word("file") },
        },
      ],
    },
  ],
  tools: [
    {
      name: "t",
      description: word("tool description"),
      input_schema: { type: "object", title: word("schema") },
    },
  ],
  metadata: { user_id: word("metadata") },
  tags: { team: word("tag") },
  stop_sequences: [word("stop sequence")],
};
/** What an upstream repeats: the whole conversation, as a person would quote it. */
const repeated = Object.values(words).join(" ");
const content = [
  { type: "thinking", thinking: word("thinking"), signature: word("signature") },
  { type: "text", text: word("completion") },
  { type: "tool_use", id: "t2", name: "t", input: { b: word("tool input of an answer") } },
];
const events = [
  { type: "message_start", message: { id: "msg_1", usage: { input_tokens: 1, output_tokens: 1 } } },
  ...content.map((block, index) => ({ type: "content_block_start", index, content_block: block })),
  {
    type: "message_delta",
    delta: { stop_reason: word("reason to stop") },
    usage: { output_tokens: 3 },
  },
  { type: "message_stop" },
];

/** The shapes in which providers, and whoever stands before them, say that something is wrong. */
const refusals: readonly ((status: number) => string)[] = [
  () =>
    JSON.stringify({ type: "error", error: { type: "invalid_request_error", message: repeated } }),
  () => JSON.stringify({ message: repeated, __type: repeated }),
  (code) =>
    JSON.stringify([
      { error: { code, status: repeated, message: repeated, details: [{ reason: repeated }] } },
    ]),
  () => JSON.stringify({ error: { code: word("prompt"), message: repeated, innererror: call } }),
  () =>
    JSON.stringify({
      request: call,
      message: `{"type":"error","error":{"type":"${word("prompt")}"}}`,
    }),
  () => `<html><title>${repeated}</title></html>`,
  () => repeated,
];
const statuses = [400, 401, 403, 404, 413, 422, 429, 500, 503, 529];

const directory = mkdtempSync(join(tmpdir(), "canary-"));
const cloud = startUpstream();
const collector = startCollector();
const upstreams = markedUpstreams(directory, cloud.url);
const names = Object.keys(upstreams);

/** Answers as this upstream's model API; whoever gives out credentials does. */
function play(api: (seen: Seen) => Response | Promise<Response>): void {
  cloud.answer = (seen) => (tokenEndpoints[seen.url.split("?")[0] ?? ""] ?? (() => api(seen)))();
}

const isBedrock = ({ url }: Seen) => url.includes("/model/");
const isStreamed = ({ url, body }: Seen) =>
  url.includes("stream") || Buffer.from(body).toString().includes('"stream":true');
const typeOf = (seen: Seen) =>
  isBedrock(seen) ? "application/vnd.amazon.eventstream" : "text/event-stream";

function answer(seen: Seen): Response {
  if (/count/.test(seen.url)) return Response.json({ input_tokens: 3, inputTokens: 3 });
  if (!isStreamed(seen))
    return Response.json({
      id: "msg_1",
      type: "message",
      content,
      usage: { input_tokens: 1, output_tokens: 3 },
    });
  return new Response(bytesOf(seen, events), { headers: { "content-type": typeOf(seen) } });
}

function bytesOf(seen: Seen, all: readonly { type: string }[]): Uint8Array<ArrayBuffer> {
  if (!isBedrock(seen)) return new Uint8Array(Buffer.from(eventStream(all)));
  return new Uint8Array(Buffer.concat(all.map((event) => chunkOf(JSON.stringify(event)))));
}

/** The first event, and then an error that repeats the prompt, in the provider's form. */
function errorInStream(seen: Seen): Response {
  const error = { type: "error", error: { type: word("prompt"), message: repeated } };
  const last = isBedrock(seen)
    ? exceptionOf("modelStreamErrorException", JSON.stringify({ message: repeated }))
    : Buffer.from(eventStream([error]));
  const body = Buffer.concat([bytesOf(seen, events.slice(0, 2)), last]);
  return new Response(new Uint8Array(body), { headers: { "content-type": typeOf(seen) } });
}

let postgres: OwnPostgres;
beforeAll(async () => {
  postgres = await startOwnPostgres();
});
afterAll(async () => {
  await Promise.all([postgres.stop(), cloud.stop(), collector.stop()]);
  rmSync(directory, { recursive: true });
});

async function openAt(level: string): Promise<Scene> {
  const store = new URL(await postgres.createDatabase());
  store.password = key("database password");
  return openScene(
    (config) => {
      config.session.jwt_secret = [key("jwt secret"), config.session.jwt_secret];
      config.store.postgres_url = store.href;
      config.admin = {
        write_keys: [{ id: "w", key: key("admin key") }],
        read_keys: [{ id: "r", key: key("admin read key") }],
      };
      config.upstreams = names.map((name) => ({
        name,
        base_url: `${cloud.url}/${name}`,
        ...upstreams[name],
      }));
      config.models = names.map((id) => ({ id, upstream_model: { [id]: "claude-opus-4-8" } }));
      config.telemetry = {
        forward_to: [
          {
            url: collector.url,
            headers: { authorization: `Bearer ${key("collector header")}` },
            logs: true,
            traces: true,
            requests: true,
          },
        ],
      };
    },
    { CLAUDE_GATEWAY_LOG_LEVEL: level, ...markedEnvironment(cloud.url) },
  );
}

/** A day: what everybody says and does, until the process is stopped. */
async function live(scene: Scene): Promise<string> {
  const { gateway, idp } = scene;
  keys["client secret"] = idp.clientSecret;
  const { signIn, refresh } = deviceFlow(scene);
  idp.bend.tokens = (tokens) => {
    keys["id token"] = String(tokens["id_token"]);
    return {
      ...tokens,
      access_token: tokenOfIdp("access").padEnd(60, "0"),
      refresh_token: tokenOfIdp("refresh"),
    };
  };
  const tokens = await signIn();
  const bearer = (keys["bearer"] = tokens.access_token);
  const refreshToken = (keys["refresh token"] = tokens.refresh_token ?? "");
  idp.bend.tokenAnswer = () =>
    Response.json(
      {
        error: "invalid_grant",
        error_description: `no ${tokenOfIdp("refresh")} ${tokenOfIdp("access").padEnd(60, "0")}`,
      },
      { status: 400 },
    );
  await refresh(refreshToken);
  idp.bend.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
  await refresh(key("somebody else's refresh token"));
  idp.straighten();

  const send = async (name: string, init: CallInit = {}) => {
    const fields = { ...call, ...init.fields };
    const response = await ask(scene, name, { bearer, ...init, fields }).catch(() => undefined);
    await response?.text().catch(() => undefined);
  };
  const everyWay = (of: readonly string[]) =>
    Promise.all(
      of.flatMap((name) => [
        send(name),
        send(name, { fields: { stream: true } }),
        send(name, { path: "/v1/messages/count_tokens" }),
      ]),
    );

  play(answer);
  await everyWay(names);
  // Each status in each shape, in turn; one provider of each dialect.
  const dialects = names.filter((name) => /-key|mantle|role|federated/.test(name));
  for (const [index, status] of statuses.entries()) {
    for (const turn of [0, 1]) {
      const body = refusals[(2 * index + turn) % refusals.length] ?? (() => "");
      const headers = { "x-amzn-errortype": repeated, "x-echo": repeated, "request-id": repeated };
      play(() => new Response(body(status), { status, statusText: word("prompt"), headers }));
      await everyWay(dialects);
    }
  }
  const broken: ((seen: Seen) => Response | Promise<Response>)[] = [
    errorInStream,
    (seen) =>
      new Response(bytesOf(seen, events.slice(0, 3)).slice(0, -20), {
        headers: { "content-type": typeOf(seen) },
      }),
    () => new Response(repeated, { headers: { "content-type": "application/json" } }),
    () => new Response(`<html>${repeated}`, { headers: { "content-type": "text/html" } }),
    () => Response.redirect(`${cloud.url}/${encodeURIComponent(repeated)}`, 302),
  ];
  for (const api of broken) {
    play(api);
    await everyWay(dialects);
  }
  await hangUp();
  await beRefused();
  // Nobody answers any more: neither the database, nor what was an upstream.
  await postgres.crash();
  play(answer);
  await everyWay(dialects.slice(0, 3));
  await signIn().catch(() => undefined);
  // What was spent could not be written at the stop, and would be waited for.
  await postgres.restart();
  const last = send(dialects[0] ?? "");
  await gateway.stop("SIGTERM");
  await last;
  return gateway.stderr() + gateway.stdout();

  async function hangUp(): Promise<void> {
    play((seen) => {
      const first = bytesOf(seen, events.slice(0, 3));
      const body = async function* () {
        yield first;
        await Bun.sleep(5_000);
      };
      return new Response(body, { headers: { "content-type": typeOf(seen) } });
    });
    const hangsUp = new AbortController();
    const fields = { ...call, stream: true };
    const streamed = await ask(scene, dialects[0] ?? "", {
      bearer,
      fields,
      signal: hangsUp.signal,
    });
    await readerOf(streamed).until("canary");
    hangsUp.abort();
  }

  /** Whatever the gateway itself has to say no to. */
  async function beRefused(): Promise<void> {
    const text = JSON.stringify({ model: names[0], max_tokens: 1, ...call });
    const bodies = [
      text.slice(0, -5),
      text.replace("{", `{"model":"x",`),
      repeated,
      `"${repeated}"`,
      JSON.stringify({ ...call, model: 1 }),
      JSON.stringify({ ...call, model: "no-such-model" }),
    ];
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(gateway.url + path, {
        method: "POST",
        body,
        headers: { authorization: `Bearer ${bearer}`, ...headers },
      });
    const answers = bodies.map((body) => post("/v1/messages", body));
    for (const path of ["/v1/logs", "/v1/metrics", "/v1/traces", "/oauth/token", "/nowhere"])
      answers.push(post(path, text, { "content-type": "application/json" }));
    answers.push(post("/v1/messages", text, { authorization: `Bearer ${key("wrong bearer")}` }));
    answers.push(post("/v1/messages", text, { authorization: `Bearer ${bearer}x` }));
    for (const [name, value] of [
      ["x-api-key", key("admin key")],
      ["x-api-key", key("wrong admin key")],
      ["cookie", `a=${key("cookie")}`],
    ] as const) {
      const headers = { [name]: value, authorization: "" };
      answers.push(post("/v1/organizations/spend_limits", text, headers));
    }
    await Promise.all(answers.map(async (response) => (await response).text()));
  }
}

describe.each(["info", "debug"])("what is logged at level %s", (level) => {
  let logged: string;

  beforeAll(async () => {
    const scene = await openAt(level);
    logged = await live(scene);
    await scene.stop();
  }, 60_000);

  const found = (marks: Record<string, string>) =>
    Object.keys(marks).filter((name) =>
      spellings(marks[name] ?? "").some((spelling) => logged.includes(spelling)),
    );

  test("is the day's work", () => {
    for (const status of statuses) expect(logged).toContain(`upstream ${status} `);
    for (const said of [
      "broke off",
      "all upstreams failed",
      "model resolution failed",
      "config.load",
    ])
      expect(logged).toContain(said);
    // At debug level the provider's own words are there, so that they are seen to be missed at the other.
    expect(logged.includes(word("prompt"))).toBe(level === "debug");
  });

  test("holds no credential", () => {
    expect(found(secrets)).toEqual([]);
    expect(found(keys)).toEqual([]);
  });

  test("holds no token that the IdP quotes", () => {
    expect(found(tokensOfIdp)).toEqual([]);
  });

  test.skipIf(level === "debug")("holds no word of a conversation", () => {
    expect(found(words)).toEqual([]);
  });
});

/** As it is, and as it would be quoted in an encoding. */
function spellings(mark: string): string[] {
  const base64 = Buffer.from(mark).toString("base64").replaceAll("=", "");
  return [mark, encodeURIComponent(mark), base64];
}
