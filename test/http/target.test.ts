// Which path a request is for, over raw sockets: a path has one spelling, and every other one is answered as a path that does
// not exist, to people with a bearer and without.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { createAdmission } from "../../src/http/admission.ts";
import { ApiError } from "../../src/http/errors.ts";
import { listen } from "../../src/http/listener.ts";
import type { Incoming } from "../../src/http/request.ts";
import { createRouter } from "../../src/http/router.ts";
import { exchange } from "../support/raw-http.ts";

let seen: Pick<Incoming, "path" | "search"> | undefined;
const answer = ({ path, search }: Incoming) => {
  seen = { path, search };
  return new Response("ok");
};
const listener = listen({
  listen: { host: "127.0.0.1", port: 0 },
  limits: { max_request_bytes: 1_000_000 },
  tls: undefined,
  admission: createAdmission({
    access_control: { allow_cidrs: ["10.0.0.0/8"], deny_cidrs: [] },
    listen: { host: "127.0.0.1", port: 0, trusted_proxies: ["127.0.0.1"] },
  }),
  handler: () =>
    createRouter(
      {
        open: { "GET /": answer, "GET /healthz": answer, "POST /limits/open": answer },
        below: { "/limits": answer },
        signedIn: { "GET /v1/messages": answer },
      },
      async ({ request }) => {
        if (request.headers.has("authorization")) return "ada";
        throw new ApiError("authentication_error", "invalid token");
      },
    ),
});
const port = Number(new URL(listener.url).port);
afterAll(() => listener.drain(0));
beforeEach(() => void (seen = undefined));

const statusOf = async (target: string, headers = "", version = "1.1") => {
  const host = version === "1.1" ? "Host: a\r\n" : "";
  const bytes = `GET ${target} HTTP/${version}\r\n${host}${headers}\r\n`;
  return (await exchange(port, bytes)).statuses[0];
};
const inside = "X-Forwarded-For: 10.1.1.1\r\n";
const signedIn = `${inside}Authorization: Bearer x\r\n`;

const otherSpellings = [
  "//healthz",
  "/healthz/",
  "/./healthz",
  "/x/../healthz",
  "/../healthz",
  "/%2e/healthz",
  "/x/%2e%2e/healthz",
  "/x/.%2E/healthz",
  "/x\\..\\healthz",
  "/healthz/.",
  "/healthz/x/..",
  "/health%7a",
  "/Healthz",
  "/healthz;x",
  "/healthz%00",
  "/healthz%20",
  "/healthz#",
  "/healthz%3Fx",
  "/v1//messages",
  "/v1%2fmessages",
  "/v1%2Fmessages",
  "/v1\\messages",
  "/v1/messages/",
  "/v1/messages/..;/messages",
  "/v1/x/../messages",
  "/v1/%6dessages",
  "/v1/mess\xc0\xafages",
  "/v1/messages\xc0\x80",
  "/v1/messages\xff",
  "/limits/../v1/messages",
  "/limits/%2e%2e/healthz",
  "/limits/../limit",
  "/limits/x/../open",
  "/x/../limits",
  "/x/../limits/y",
  "/limits\\x",
  "http://other.example/x/../healthz",
  "http://other.example//v1/messages",
];
test.each(otherSpellings)("%j is nobody's path", async (target) => {
  expect(await statusOf(target, inside)).toBe(401);
  expect(await statusOf(target, signedIn)).toBe(404);
  expect(seen).toBeUndefined();
});

test("the one spelling is, with its query as it was sent", async () => {
  for (const [target, path, search] of [
    ["/", "/", ""],
    ["/healthz?", "/healthz", ""],
    ["/healthz?/../x=%2e&y", "/healthz", "?/../x=%2e&y"],
    ["/v1/messages?beta=true", "/v1/messages", "?beta=true"],
    ["/limits", "/limits", ""],
    ["/limits/%2Fx?a=b", "/limits/%2Fx", "?a=b"],
  ] as const) {
    expect(await statusOf(target, signedIn)).toBe(200);
    expect(seen).toEqual({ path, search });
  }
});

test("below a path, dot segments lead to what is below it", async () => {
  expect(await statusOf("/limits/x/../y", signedIn)).toBe(200);
  expect(seen).toEqual({ path: "/limits/y", search: "" });
});

test("HTTP/1.0 without a Host has the same paths", async () => {
  for (const path of ["/healthz", "/v1/messages"]) {
    expect(await statusOf(path, signedIn, "1.0")).toBe(200);
    expect(seen?.path).toBe(path);
  }
  expect(await statusOf("/healthz?x=/y", signedIn, "1.0")).toBe(200);
  expect(seen).toEqual({ path: "/healthz", search: "?x=/y" });
  for (const path of ["/x/healthz", "/x//healthz", "/x/../healthz", "/x/v1/messages"]) {
    expect(await statusOf(path, signedIn, "1.0")).toBe(404);
  }
});

test("the authority of an absolute target is not looked at, as the Host is not", async () => {
  expect(await statusOf("http://other.example/v1/messages", inside)).toBe(401);
  expect(await statusOf("http://other.example/healthz", inside)).toBe(200);
});

test("what access control spares is the health path, and not what resolves to it", async () => {
  expect(await statusOf("/healthz")).toBe(200);
  for (const target of ["/x/../healthz", "/%2e/healthz", "/x\\..\\healthz", "//healthz"]) {
    expect(await statusOf(target)).toBe(403);
  }
});

test("CONNECT, OPTIONS, TRACE and HEAD have no path of their own", async () => {
  for (const line of [
    "CONNECT a:443",
    "CONNECT /v1/messages",
    "OPTIONS /v1/messages",
    "TRACE /healthz",
    "HEAD /healthz",
    "HEAD /v1/messages",
    "DELETE /v1/messages",
    "PROPFIND /",
  ]) {
    const ask = (headers: string) =>
      exchange(port, `${line} HTTP/1.1\r\nHost: a:443\r\n${headers}X-Secret: s3\r\n\r\n`);
    const stranger = await ask(inside);
    expect(stranger.statuses).toEqual([401]);
    expect(stranger.text).not.toContain("s3");
    expect((await ask(signedIn)).statuses).toEqual([404]);
  }
  expect(seen).toBeUndefined();
});
