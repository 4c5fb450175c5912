// The admin API as a whole: who may come in, what is where, how every answer looks, what is logged.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import {
  expectError,
  idsOf,
  openScene,
  organization,
  person,
  readKey,
  type Scene,
} from "./admin-scene.ts";

let scene: Scene;
let asked: URLSearchParams | undefined;
let failure: Error | undefined;
beforeAll(async () => {
  scene = await openScene({
    async effective(search) {
      asked = search;
      if (search.has("bad")) throw new ApiError("invalid_request_error", "bad: is bad");
      return { data: [], next_page: null };
    },
    limits: (real) => ({
      ...real,
      async list(...page) {
        if (failure !== undefined) throw failure;
        return real.list(...page);
      },
    }),
  });
}, 60_000);
beforeEach(async () => {
  failure = undefined;
  await scene.empty();
});
afterAll(() => scene.close());

test("effective is given the parameters, and its refusal is one of this API", async () => {
  expect((await scene.ask("/effective?q=a&period[]=daily")).json).toEqual({
    data: [],
    next_page: null,
  });
  expect([asked?.get("q"), asked?.get("period[]")]).toEqual(["a", "daily"]);
  expectError(await scene.ask("/effective?bad"), [400, "invalid_request_error", "bad: is bad"]);
});

describe("every answer", () => {
  test("has its own request id, JSON as its type, and is not stored", async () => {
    const answers = [
      await scene.ask(""),
      await scene.ask("/audit"),
      await scene.ask("/effective"),
      await scene.ask("", { key: "" }),
      await scene.post({}),
      await scene.ask("/spl_nope"),
    ];
    for (const { headers } of answers) {
      expect(headers.get("request-id")).toMatch(/^req_[0-9a-f]{32}$/);
      expect(headers.get("content-type")).toBe("application/json;charset=utf-8");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(new Set(answers.map(({ headers }) => headers.get("request-id"))).size).toBe(6);
  });

  test("is a line in the log with the path as it was sent", async () => {
    const { headers } = await scene.ask("/spl%5Fnope?x=1");
    expect(scene.lines().map((line) => line.replace(/^\S+ \S+ /, ""))).toEqual([
      `info admin GET /v1/organizations/spend_limits/spl%5Fnope -> 404 (${headers.get("request-id")})`,
    ]);
  });
});

describe("what does not exist", () => {
  const notFound: [number, string, string] = [404, "not_found_error", "not found"];
  const noLimit: [number, string, string] = [404, "not_found_error", "spend limit not found"];
  const missing: [string, string, [number, string, string]][] = [
    ["PUT", "", notFound],
    ["PATCH", "/spl_x", notFound],
    ["OPTIONS", "", notFound],
    ["DELETE", "", notFound],
    ["POST", "/effective", notFound],
    ["POST", "/", notFound],
    ["GET", "/", noLimit],
    ["GET", "/effective/", noLimit],
    ["GET", "/AUDIT", noLimit],
    ["GET", "/spl_x/y", noLimit],
    ["GET", "/spl_%00", noLimit],
    ["DELETE", "/effective", noLimit],
    ["DELETE", "/%00", noLimit],
  ];
  test.each(missing)("is refused: %s %s", async (method, below, wanted) => {
    expectError(await scene.ask(below, { method }), wanted);
  });

  test("is refused as malformed when its id is no percent-encoded UTF-8", async () => {
    for (const id of ["%E0%A4%A", "%ff", "%"]) {
      expectError(await scene.ask(`/${id}`), [
        400,
        "invalid_request_error",
        "malformed spend limit id",
      ]);
    }
  });

  test("is refused to HEAD without a body", async () => {
    const { status, json } = await scene.ask("", { method: "HEAD" });
    expect([status, json]).toEqual([404, undefined]);
  });

  test("beside the path is left to the rest of the gateway", async () => {
    expect((await scene.ask("x")).json.error.message).toBe("invalid token");
  });
});

describe("who is not known", () => {
  const denied: [number, string, string] = [
    401,
    "authentication_error",
    "missing or invalid admin credentials",
  ];

  test("is refused before anything else is looked at, and audited without the key", async () => {
    const key = "wrong-key-0123456789abcdef0123456789";
    for (const [method, below, body] of [
      ["GET", "", undefined],
      ["POST", "", "{no json"],
      ["PUT", "/nothing", undefined],
      ["GET", "/%ff", undefined],
    ] as const) {
      const answer = await scene.ask(below, { method, key, body });
      expectError(answer, denied);
      expect(answer.headers.get("www-authenticate")).toBeNull();
      const lines = scene.lines();
      expect(lines.join("\n")).not.toContain(key);
      expect(JSON.parse(lines[0] ?? "")).toEqual({
        ts: expect.any(String),
        evt: "admin.denied",
        request_id: answer.json.request_id,
        reason: "invalid_key",
        method,
        path: `/v1/organizations/spend_limits${below}`,
        client_ip: "127.0.0.1",
      });
    }
  });

  test("has the reason in the audit event only", async () => {
    const stranger = await scene.bearerOf("eve", ["eng"]);
    expectError(await scene.ask("", { key: "" }), denied);
    expectError(await scene.ask("", { bearer: stranger }), denied);
    expect(scene.events().map(({ reason }) => reason)).toEqual([
      "no_credentials",
      "bearer_rejected",
    ]);
  });

  test("does not fill the log with a path", async () => {
    await scene.ask(`/${"x".repeat(5_000)}`, { key: "" });
    const [event = "", line = ""] = scene.lines();
    expect(JSON.parse(event).path).toHaveLength(512);
    expect(line).toMatch(/x -> 401 \(req_[0-9a-f]{32}\)$/);
    expect(line.length).toBeLessThan(700);
  });
});

describe("who may only read", () => {
  const forbidden: [number, string, string] = [
    403,
    "permission_error",
    "requires write:spend_limits",
  ];

  test("reads everything", async () => {
    const { id } = (await scene.post({ scope: organization, amount: "1" })).json;
    for (const below of ["", "/audit", "/effective", `/${id}`]) {
      expect((await scene.ask(below, { key: readKey })).status).toBe(200);
    }
  });

  test("changes nothing, whatever the request is worth", async () => {
    const { id } = (await scene.post({ scope: organization, amount: "1" })).json;
    scene.lines();
    expectError(await scene.post("{no json", { key: readKey }), forbidden);
    expectError(await scene.post({ scope: person("a"), amount: "1" }, { key: readKey }), forbidden);
    for (const below of [`/${id}`, "/spl_nope"]) {
      expectError(await scene.ask(below, { method: "DELETE", key: readKey }), forbidden);
    }
    expect(idsOf(await scene.ask(""))).toEqual([id]);
    expect(scene.events()).toEqual([]);
    expect((await scene.ask("", { method: "PUT", key: readKey })).status).toBe(404);
  });
});

test("a body over 64 KB is refused, one of 64 KB is read", async () => {
  const padded = (bytes: number) => {
    const body = JSON.stringify({ scope: organization, amount: "1", note: "" });
    return body.replace('"note":""', `"note":"${"x".repeat(bytes - body.length)}"`);
  };
  expect((await scene.post(padded(65_536))).status).toBe(200);
  expectError(await scene.post(padded(65_537)), [413, "request_too_large", "payload too large"]);
  expect((await scene.ask("")).json.data).toHaveLength(1);
});

test("what goes wrong here is 500 in the same envelope, and only the log says why", async () => {
  failure = new Error("connection to 10.0.0.7 refused");
  const answer = await scene.ask("");
  expectError(answer, [500, "api_error", "internal server error"]);
  const lines = scene.lines().map((line) => line.replace(/^\S+ \S+ /, "").replace(/ at .*$/, ""));
  expect(lines).toEqual([
    `error unhandled request_id=${answer.json.request_id}: Error`,
    `info admin GET /v1/organizations/spend_limits -> 500 (${answer.json.request_id})`,
  ]);
});
