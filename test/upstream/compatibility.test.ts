// What an upstream with `compatibility: { learn: true }` sends after a 400 that names an item, and later; over the wire, through
// the exchanges of an anthropic upstream and of Bedrock. Which texts name which item is in refused-items.test.ts.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UpstreamOf } from "../../src/config/schema.ts";
import { flushLog, setLogDescriptor, setLogLevel, stderr } from "../../src/log.ts";
import { createAnthropicUpstream } from "../../src/upstream/anthropic/anthropic.ts";
import { invokeBody } from "../../src/upstream/aws/bedrock-body.ts";
import { cloudHeaders } from "../../src/upstream/request/cloud-request.ts";
import { post } from "../../src/upstream/request/post.ts";
import { createLearningExchange } from "../../src/upstream/learning/compatibility.ts";
import { type Exchange, nothingOmitted } from "../../src/upstream/exchange.ts";
import type { OutboundCall } from "../../src/upstream/upstream.ts";
import { fetchHere } from "../support/egress.ts";
import { type CloudApi, outboundCall, startCloudApi } from "../support/cloud-api.ts";

const dayMs = 24 * 3600_000;
const signal = new AbortController().signal;

/** What the API was sent: the body, and the betas of its header or, as Bedrock has them, of the body. */
type Sent = { path: string; betas: string[]; body: Record<string, unknown> };

let api: CloudApi;
let nowMs: number;
let logFile: { path: string; descriptor: number };

beforeEach(() => {
  api = startCloudApi();
  nowMs = 1_800_000_000_000;
  const path = join(mkdtempSync(join(tmpdir(), "compatibility-")), "log");
  logFile = { path, descriptor: openSync(path, "w") };
  setLogDescriptor(logFile.descriptor);
  setLogLevel("warn");
});
afterEach(async () => {
  setLogDescriptor(stderr);
  setLogLevel("error");
  closeSync(logFile.descriptor);
  rmSync(join(logFile.path, ".."), { recursive: true });
  await api.stop();
});

/** Lines of the log so far, without the time. */
function warnings(): string[] {
  flushLog();
  const lines = readFileSync(logFile.path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => line.replace(/^\[gateway\] \S+ /, ""));
}

function sent(): Sent[] {
  return api.seen.map(({ path, headers, body: text }) => {
    const body = JSON.parse(text) as Record<string, unknown>;
    const inHeader = headers.get("anthropic-beta")?.split(/\s*,\s*/) ?? [];
    return { path, body, betas: [...inHeader, ...((body["anthropic_beta"] as string[]) ?? [])] };
  });
}

/** The API refuses with what `complaint` says of a request, in Anthropic's envelope, and answers all else. */
function refuseWhen(complaint: (request: Sent) => string | undefined) {
  api.answer = () => {
    const request = sent().at(-1);
    const message = request && complaint(request);
    return message === undefined
      ? Response.json({ type: "message", input_tokens: 1 })
      : refusal(message);
  };
}

function refusal(message: string): Response {
  return Response.json(
    {
      type: "error",
      error: { type: "invalid_request_error", message },
      request_id: `req_${api.seen.length}`,
    },
    { status: 400, headers: { "x-kept": "1" } },
  );
}

/** As the Messages API refuses a field it does not know, and the betas. */
const unknownField = (name: string) => `${name}: Extra inputs are not permitted`;
const unknownBetas = (names: string[]) =>
  `Unexpected value(s) ${names.map((name) => `\`${name}\``).join(", ")} for the \`anthropic-beta\` header. ` +
  "Please consult our documentation at docs.anthropic.com or try again without the header.";

type Send = (outbound: OutboundCall) => Promise<Response>;

function anthropic({
  learn = true,
  auth = { api_key: "k" },
}: { learn?: boolean; auth?: UpstreamOf<"anthropic">["auth"] } = {}): Send {
  const upstream = createAnthropicUpstream(
    {
      provider: "anthropic",
      name: "a",
      base_url: api.url,
      auth,
      headers: {},
      compatibility: { learn },
      forward_user_identity: false,
    },
    {
      userAgent: "gw/1",
      ttfbMs: { streamed: 1_000, whole: 1_000 },
      now: () => nowMs,
      fetch: fetchHere,
    },
  );
  return async (outbound) => (await upstream.send(outbound, signal)).response;
}

/** Betas go in the body. */
function bedrock(): Send {
  const exchange: Exchange = (outbound, omit, aborted) =>
    post(fetchHere, {
      url: `${api.url}/model/${outbound.upstreamModel}/invoke`,
      headers: cloudHeaders(outbound, { userAgent: "gw/1", fixed: {} }),
      body: invokeBody(outbound, omit),
      signal: aborted,
    });
  const learning = createLearningExchange(exchange, { owner: "b", now: () => nowMs });
  return (outbound) => learning(outbound, signal);
}

const betas = (...names: string[]) => ({ headers: { "anthropic-beta": names.join(",") } });
const withField = (name: string, value: unknown = 1) => ({ model: "m", [name]: value });

describe("an item that the upstream names", () => {
  test("is left out of the same request at once, and of later ones", async () => {
    refuseWhen(({ body }) =>
      "context_management" in body ? unknownField("context_management") : undefined,
    );
    const send = anthropic();
    const outbound = outboundCall('{"model":"m", "context_management":{"edits":[]}, "n":1.50}');
    expect((await send(outbound)).status).toBe(200);
    expect(api.seen).toHaveLength(2);
    expect((await send(outbound)).status).toBe(200);
    expect(api.seen).toHaveLength(3);
    for (const { body } of api.seen.slice(1)) expect(body).toBe('{"model":"m", "n":1.50}');
  });

  test("is left alone without the operator's word", async () => {
    refuseWhen(() => unknownField("context_management"));
    const send = anthropic({ learn: false });
    const answer = await send(outboundCall(withField("context_management")));
    expect(answer.status).toBe(400);
    expect(api.seen).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  test("is told to the operator once, with the setting that allows it", async () => {
    refuseWhen(({ body }) => ("speed" in body ? unknownField("speed") : undefined));
    const send = anthropic();
    await send(outboundCall(withField("speed"), { upstreamModel: "up-1" }));
    await send(outboundCall(withField("speed"), { upstreamModel: "up-1" }));
    expect(warnings()).toEqual([
      "warn upstream 'a' does not take the body field speed for up-1 on /v1/messages request_id=req1: it is left out " +
        "there for 24 hours, then tried anew, because compatibility.learn is true on this upstream",
    ]);
  });

  test("is told once by requests that are refused together", async () => {
    refuseWhen(({ betas: asked }) => (asked.includes("x-1") ? unknownBetas(["x-1"]) : undefined));
    const send = anthropic();
    const outbound = outboundCall({ model: "m" }, betas("x-1", "y-2"));
    const answers = await Promise.all(Array.from({ length: 6 }, () => send(outbound)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain("does not take the beta x-1 for m");
  });

  test("is tried anew after a day, and not told again", async () => {
    refuseWhen(({ body }) => ("speed" in body ? unknownField("speed") : undefined));
    const send = anthropic();
    await send(outboundCall(withField("speed")));
    nowMs += dayMs - 1;
    await send(outboundCall(withField("speed")));
    expect(sent().map(({ body }) => "speed" in body)).toEqual([true, false, false]);
    nowMs += 1;
    await send(outboundCall(withField("speed")));
    await send(outboundCall(withField("speed")));
    expect(sent().map(({ body }) => "speed" in body)).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(warnings()).toHaveLength(1);
  });

  test("stays in once the upstream takes it", async () => {
    refuseWhen(({ body }) => ("speed" in body ? unknownField("speed") : undefined));
    const send = anthropic();
    await send(outboundCall(withField("speed")));
    refuseWhen(() => undefined);
    nowMs += dayMs;
    await send(outboundCall(withField("speed")));
    await send(outboundCall(withField("speed")));
    expect(
      sent()
        .slice(-2)
        .map(({ body }) => "speed" in body),
    ).toEqual([true, true]);
  });

  test("is left out for that model only, and for that path", async () => {
    refuseWhen(({ body }) => ("speed" in body ? unknownField("speed") : undefined));
    const send = anthropic();
    await send(outboundCall(withField("speed")));
    refuseWhen(() => undefined);
    await send(outboundCall(withField("speed"), { upstreamModel: "other" }));
    await send(outboundCall(withField("speed"), { path: "/v1/messages/count_tokens" }));
    expect(
      sent()
        .slice(-2)
        .map(({ body }) => "speed" in body),
    ).toEqual([true, true]);
  });

  test("leaves what else the request asks for", async () => {
    refuseWhen(({ betas: asked }) => (asked.includes("x-1") ? unknownBetas(["x-1"]) : undefined));
    await anthropic()(outboundCall({ model: "m", speed: 1 }, betas("w-0", "x-1", "y-2")));
    expect(sent()[1]).toMatchObject({ betas: ["w-0", "y-2"], body: { model: "m", speed: 1 } });
  });

  test("leaves our own beta, which goes with an OAuth token", async () => {
    refuseWhen(({ betas: asked }) => (asked.includes("x-1") ? unknownBetas(["x-1"]) : undefined));
    await anthropic({ auth: { oauth_token: "at" } })(outboundCall({ model: "m" }, betas("x-1")));
    expect(sent()[1]?.betas).toEqual(["oauth-2025-04-20"]);
  });
});

describe("nothing is left out, and the refusal passes unchanged, when", () => {
  const said = (message: string) => JSON.stringify({ message });

  test.each([
    ["names no item", said("prompt is too long: 210000 tokens > 200000 maximum")],
    ["names what may not be left out", said(unknownField("thinking"))],
    ["is empty", ""],
    ["is no JSON", unknownField("speed")],
    ["is longer than 64 KiB", `${said(unknownField("speed"))}${" ".repeat(300_000)}x`],
  ])("its text %s", async (_, body) => {
    api.answer = () => new Response(body, { status: 400, headers: { "x-kept": "1" } });
    const answer = await anthropic()(outboundCall({ model: "m", speed: 1, thinking: {} }));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("x-kept")).toBe("1");
    expect(await answer.text()).toBe(body);
    expect(api.seen).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  test.each([401, 403, 404, 413, 422, 500])("it is a %d", async (status) => {
    api.answer = () => Response.json({ message: unknownField("speed") }, { status });
    expect((await anthropic()(outboundCall(withField("speed")))).status).toBe(status);
    expect(api.seen).toHaveLength(1);
  });
});

describe("a second refusal", () => {
  test("is the answer, and what it names is left out of later requests", async () => {
    refuseWhen(({ betas: asked, body }) => {
      if (asked.includes("context-management-2025-06-27"))
        return unknownBetas(["context-management-2025-06-27"]);
      return "context_management" in body ? unknownField("context_management") : undefined;
    });
    const send = anthropic();
    const outbound = outboundCall(
      withField("context_management"),
      betas("context-management-2025-06-27", "x-1"),
    );
    const refused = await send(outbound);
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain(unknownField("context_management"));
    expect(api.seen).toHaveLength(2);
    expect((await send(outbound)).status).toBe(200);
    expect(sent()[2]).toMatchObject({ betas: ["x-1"], body: { model: "m" } });
    expect(sent()[2]?.body).not.toHaveProperty("context_management");
    expect(warnings()).toHaveLength(2);
  });

  test("in the same words shows that it was not the item, which stays in", async () => {
    refuseWhen(() => "invalid beta flag");
    const send = anthropic();
    const outbound = outboundCall({ model: "m" }, betas("x-1"));
    expect((await send(outbound)).status).toBe(400);
    expect(api.seen).toHaveLength(2);
    refuseWhen(() => undefined);
    await send(outbound);
    expect(sent()[2]?.betas).toEqual(["x-1"]);
    expect(warnings()).toEqual([]);
  });

  test("that leaves one beta to blame is about that one", async () => {
    refuseWhen(({ betas: asked }) => {
      if (asked.includes("x-1")) return unknownBetas(["x-1"]);
      return asked.length > 0 ? "invalid beta flag" : undefined;
    });
    const send = anthropic();
    const outbound = outboundCall({ model: "m" }, betas("x-1", "y-2"));
    expect((await send(outbound)).status).toBe(400);
    expect((await send(outbound)).status).toBe(200);
    expect(sent().map(({ betas: asked }) => asked)).toEqual([["x-1", "y-2"], ["y-2"], []]);
  });

  test("of a field that was no longer there starts no further retry, then or later", async () => {
    refuseWhen(({ body }) =>
      "speed" in body
        ? unknownField("speed")
        : `The model returned the following errors: ${unknownField("speed")}`,
    );
    const send = anthropic();
    expect((await send(outboundCall(withField("speed")))).status).toBe(400);
    expect(api.seen).toHaveLength(2);
    expect((await send(outboundCall(withField("speed")))).status).toBe(400);
    expect(api.seen).toHaveLength(3);
  });

  test("of another kind keeps what was learned", async () => {
    api.answer = () =>
      api.seen.length === 1 ? refusal(unknownField("speed")) : Response.json({}, { status: 529 });
    const send = anthropic();
    expect((await send(outboundCall(withField("speed")))).status).toBe(529);
    await send(outboundCall(withField("speed")));
    expect(sent()[2]?.body).toEqual({ model: "m" });
  });
});

describe("what one client sends does not change the requests of others:", () => {
  test("a field that is refused without its beta stays in where the beta is", async () => {
    const beta = "context-management-2025-06-27";
    refuseWhen(({ betas: asked, body }) =>
      "context_management" in body && !asked.includes(beta)
        ? unknownField("context_management")
        : undefined,
    );
    const send = anthropic();
    await send(outboundCall(withField("context_management"), betas("x-1")));
    await send(outboundCall(withField("context_management"), betas("x-1", beta)));
    await send(outboundCall(withField("context_management")));
    expect(sent().map(({ body }) => "context_management" in body)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test("a field that is refused beside each of two betas is left out beside both", async () => {
    refuseWhen(({ body }) => ("speed" in body ? unknownField("speed") : undefined));
    const send = anthropic();
    await send(outboundCall(withField("speed"), betas("x-1")));
    await send(outboundCall(withField("speed"), betas("y-2")));
    await send(outboundCall(withField("speed"), betas("y-2", "x-1")));
    expect(sent().map(({ body }) => "speed" in body)).toEqual([true, false, true, false, false]);
    expect(warnings()).toHaveLength(1);
  });

  test("made-up betas are remembered up to eight, and then refused as they are", async () => {
    refuseWhen(({ betas: asked }) => (asked.length > 0 ? unknownBetas(asked) : undefined));
    const send = anthropic();
    const statuses = [];
    for (let index = 1; index <= 9; index++) {
      statuses.push((await send(outboundCall({ model: "m" }, betas(`made-up-${index}`)))).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 8 }, () => 200), 400]);
    expect(warnings()).toHaveLength(8);
    // A day later there is room again.
    nowMs += dayMs;
    expect((await send(outboundCall({ model: "m" }, betas("made-up-9")))).status).toBe(200);
  });

  test("a thousand are remembered in all", async () => {
    refuseWhen(({ betas: asked }) => (asked.length > 0 ? unknownBetas(asked) : undefined));
    const send = anthropic();
    const made = betas(...Array.from({ length: 8 }, (_, index) => `made-up-${index}`));
    for (let model = 0; model < 125; model++)
      await send(outboundCall({ model: `m${model}` }, made));
    expect(warnings()).toHaveLength(1_000);
    expect((await send(outboundCall({ model: "m125" }, betas("made-up-1")))).status).toBe(400);
    expect((await send(outboundCall({ model: "m0" }, made))).status).toBe(200);
  });
});

describe("tags and the beta that announces them", () => {
  const requestTags = "request-tags-2026-08-21";
  const tagged = outboundCall(withField("tags", { team: "x" }), betas(requestTags, "x-1"));

  test.each([unknownField("tags"), unknownBetas([requestTags])])(
    "go together: %s",
    async (message) => {
      refuseWhen(({ betas: asked, body }) =>
        "tags" in body || asked.includes(requestTags) ? message : undefined,
      );
      const send = anthropic();
      await send(tagged);
      await send(tagged);
      expect(api.seen).toHaveLength(3);
      for (const request of sent().slice(1)) {
        expect(request).toMatchObject({ betas: ["x-1"] });
        expect(request.body).not.toHaveProperty("tags");
      }
    },
  );

  test("go also where only one of them was sent", async () => {
    refuseWhen(({ body }) => ("tags" in body ? unknownField("tags") : undefined));
    expect((await anthropic()(outboundCall(withField("tags")))).status).toBe(200);
    expect(warnings()).toHaveLength(1);
  });
});

describe("on Bedrock, which has betas in the body,", () => {
  test("the only beta is left out, wherever the client named it", async () => {
    for (const outbound of [
      outboundCall({ model: "m" }, betas("x-1")),
      outboundCall({ model: "m", anthropic_beta: ["x-1"] }),
      outboundCall({ model: "m", anthropic_beta: ["x-1"] }, betas("x-1")),
    ]) {
      api.seen.length = 0;
      refuseWhen(({ betas: asked }) => (asked.length > 0 ? "invalid beta flag" : undefined));
      expect((await bedrock()(outbound)).status).toBe(200);
      expect(sent().map(({ betas: asked }) => asked)).toEqual([["x-1"], []]);
    }
  });

  test("one beta in the header and one in the body are two, of which none is guessed", async () => {
    refuseWhen(() => "invalid beta flag");
    const send = bedrock();
    await send(outboundCall({ model: "m", anthropic_beta: ["x-1"] }, betas("y-2")));
    expect(sent().map(({ betas: asked }) => asked)).toEqual([["x-1", "y-2"]]);
  });

  test("a field is left out of the body that Bedrock gets", async () => {
    refuseWhen(({ body }) =>
      "context_management" in body ? unknownField("context_management") : undefined,
    );
    const send = bedrock();
    const outbound = outboundCall(withField("context_management"), betas("x-1"));
    await send(outbound);
    await send(outbound);
    expect(sent().map(({ body }) => body)).toEqual([
      { anthropic_version: "bedrock-2023-05-31", anthropic_beta: ["x-1"], context_management: 1 },
      { anthropic_version: "bedrock-2023-05-31", anthropic_beta: ["x-1"] },
      { anthropic_version: "bedrock-2023-05-31", anthropic_beta: ["x-1"] },
    ]);
  });
});

describe("a call of which nothing is to be left out", () => {
  test("is handed on with the one shared nothing, before and after anything was learned", async () => {
    const omissions: unknown[] = [];
    const exchange: Exchange = async ({ upstreamModel }, omit) => {
      omissions.push(omit);
      return upstreamModel === "m" && omit.fields.size === 0
        ? refusal(unknownField("speed"))
        : Response.json({});
    };
    const send = createLearningExchange(exchange, { owner: "a", now: () => nowMs });
    await send(outboundCall(withField("speed"), { upstreamModel: "other" }), signal);
    await send(outboundCall(withField("speed")), signal);
    await send(outboundCall(withField("speed"), { upstreamModel: "other" }), signal);
    nowMs += dayMs;
    await send(outboundCall({ model: "m" }), signal);
    expect(omissions).toHaveLength(5);
    for (const index of [0, 1, 3, 4]) expect(omissions[index]).toBe(nothingOmitted);
  });
});

test("a retry that gets no answer fails as any call does, and teaches nothing", async () => {
  let calls = 0;
  const exchange: Exchange = async (_, omit) => {
    calls++;
    if (omit.fields.size > 0) throw new Error("ECONNRESET");
    return refusal(unknownField("speed"));
  };
  const send = createLearningExchange(exchange, { owner: "a", now: () => nowMs });
  for (const _ of [1, 2]) {
    const error = await send(outboundCall(withField("speed")), signal).catch((thrown) => thrown);
    expect(error.message).toBe("ECONNRESET");
  }
  expect(calls).toBe(4);
  expect(warnings()).toEqual([]);
});
