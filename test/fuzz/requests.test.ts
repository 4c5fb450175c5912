// Bodies of /v1/messages and /v1/messages/count_tokens that no client sends, before every kind of provider.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { modelOn, providers } from "../support/every-provider.ts";
import { anyJson, anyRequest, costly, damaged } from "../support/hostile-json.ts";
import { isJson, openOrdeal, runs } from "../support/ordeal.ts";

const ordeal = await openOrdeal();
afterAll(() => ordeal.scene.stop());
afterEach(() => ordeal.stood());

const paths = ["/v1/messages", "/v1/messages/count_tokens"] as const;
const post = (path: string, body: string | Uint8Array) =>
  ordeal.askAs({ method: "POST", path, body });
const messageIn = (text: string) =>
  (JSON.parse(text) as { error: { message: string } }).error.message;

const anyPath = fc.constantFrom(...paths);
const anyProvider = fc.constantFrom(...providers);

test("members of any type and spelling are passed on or refused, and what was JSON stays JSON", async () => {
  const asked = anyProvider.chain((provider) => anyRequest(modelOn(provider)));
  await fc.assert(
    fc.asyncProperty(anyPath, asked, async (path, body) => {
      const { status, text } = await post(path, body);
      expect([status, text]).not.toEqual([502, expect.anything()]);
      expect(isJson(body)).toBe(true);
      for (const { body: sent } of ordeal.seen) expect(isJson(sent)).toBe(true);
    }),
    runs(400),
  );
});

test("any JSON at all is refused with a reason, or sent", async () => {
  await fc.assert(
    fc.asyncProperty(anyPath, anyJson, async (path, body) => {
      expect((await post(path, body)).status).toBe(400);
    }),
    runs(100),
  );
});

test("bytes that are nearly JSON are refused", async () => {
  const asked = damaged(anyProvider.chain((provider) => anyRequest(modelOn(provider))));
  await fc.assert(
    fc.asyncProperty(anyPath, asked, async (path, body) => {
      const { status, text } = await post(path, body);
      expect(status).not.toBe(502);
      // Of a string longer than 128 bytes only the end is checked here.
      if (isJson(body) || Buffer.from(body).includes("x".repeat(100))) return;
      // JSON.parse takes no byte order mark, and neither do we; TextDecoder would have taken it away.
      expect([status, messageIn(text)]).toEqual([
        400,
        expect.stringMatching(/invalid JSON|JSON object/),
      ]);
    }),
    runs(300),
  );
});

test("a body that is cut off at any byte is invalid JSON", async () => {
  const whole =
    '{"model":"on-bedrock","max_tokens":16,"x":[1.5e3,{"b":null}],"messages":[{"role":"user","content":"h\\u00e9\\n"}]}';
  for (let end = 0; end < whole.length; end++) {
    const { status, text } = await post("/v1/messages", whole.slice(0, end));
    expect([end, status, messageIn(text)]).toEqual([end, 400, "invalid JSON"]);
  }
  expect((await post("/v1/messages", whole)).status).toBe(200);
});

describe("a request of a megabyte that costs its reader something is answered:", () => {
  const shapes = Object.keys(costly("", 100));
  test.each(shapes)("%s", async (shape) => {
    for (const [index, provider] of providers.entries()) {
      const body = costly(modelOn(provider), 1_000_000)[shape] ?? "";
      const { status } = await post(paths[index % 2] ?? "", body);
      expect([provider, [200, 400, 501].includes(status)]).toEqual([provider, true]);
    }
  });
});

test("a member of the request given twice is refused, and none inside is", async () => {
  const refused = async (members: string) => {
    const { status, text } = await post("/v1/messages", `{"model":"on-vertex",${members}}`);
    return status === 400 ? messageIn(text) : status;
  };
  expect(await refused('"mod\\u0065l":"on-bedrock"')).toBe("model is given more than once");
  expect(await refused('"messages":[],"messages":[]')).toBe("messages is given more than once");
  expect(await refused('"unheard_of":1,"unhe\\u0061rd_of":1')).toBe(
    "unheard_of is given more than once",
  );
  expect(ordeal.seen).toEqual([]);
  expect(await refused('"messages":[{"role":"user","role":"user"}]')).toBe(200);
});
