// How the AWS SDK's clients reach AWS: their requests as they arrive, and when one is given up.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { createSdkRequestHandler } from "../../src/upstream/aws/sdk-http.ts";
import { fetchHere } from "../support/egress.ts";
import { startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";

const api = startCloudApi();
beforeEach(() => {
  api.seen.length = 0;
  api.answer = () => new Response("keys", { status: 403, headers: { "x-amzn-errortype": "No" } });
});
afterAll(() => api.stop());

const never = new AbortController().signal;
const { port } = new URL(api.url);
const request = {
  protocol: "http:",
  hostname: "127.0.0.1",
  port: Number(port),
  path: "/federation/credentials",
  method: "GET",
  headers: { "x-amz-sso_bearer_token": "token" },
};

test("a request arrives with its method, path, query, headers and body", async () => {
  const query = { role_name: "a b", tag: ["x", "y"], flag: null };
  await createSdkRequestHandler(fetchHere, never).handle({ ...request, query });
  await createSdkRequestHandler(fetchHere, never).handle({
    ...request,
    method: "POST",
    body: "Action=A",
  });
  expect(api.seen.map(({ path, body }) => [path, body])).toEqual([
    ["GET /federation/credentials?role_name=a+b&tag=x&tag=y&flag=", ""],
    ["POST /federation/credentials", "Action=A"],
  ]);
  expect(api.seen[0]?.headers.get("x-amz-sso_bearer_token")).toBe("token");
});

test("an answer of any status is the SDK's to read", async () => {
  const { response } = await createSdkRequestHandler(fetchHere, never).handle(request);
  expect(response.statusCode).toBe(403);
  expect(response.headers).toMatchObject({ "x-amzn-errortype": "No" });
  expect(Buffer.from(response.body).toString()).toBe("keys");
});

test("a request is given up with the signal, and none is begun after it", async () => {
  const silent = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Promise<Response>(() => undefined),
  });
  const abort = new AbortController();
  const handler = createSdkRequestHandler(fetchHere, abort.signal);
  const pending = rejection(handler.handle({ ...request, port: Number(silent.port) }));
  abort.abort();
  expect((await pending).name).toBe("AbortError");
  expect((await rejection(handler.handle(request))).name).toBe("AbortError");
  expect(api.seen).toEqual([]);
  await silent.stop(true);
});
