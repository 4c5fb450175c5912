// Which handler a request reaches, and whether a bearer is asked for before.
import { expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import type { Incoming } from "../../src/http/request.ts";
import { createRouter } from "../../src/http/router.ts";
import { incomingOf } from "../support/incoming.ts";

const answer = (text: string) => () => new Response(text);

const router = createRouter<string>(
  {
    open: { "GET /open": answer("open"), "GET /api/open": answer("open below") },
    below: { "/api": answer("below"), "/other": answer("other") },
    signedIn: {
      "GET /private": (_incoming, caller) => new Response(`private to ${caller}`),
      "GET /api/private": answer("never reached"),
    },
  },
  async ({ request }) => {
    const caller = request.headers.get("authorization");
    if (caller === null) throw new ApiError("authentication_error", "invalid token");
    return caller;
  },
);

const ask = async (route: string, caller?: string): Promise<string> => {
  const [method = "", path = ""] = route.split(" ");
  const headers: Record<string, string> = caller === undefined ? {} : { authorization: caller };
  const incoming = incomingOf(new Request("http://gateway", { method, headers }), { path });
  try {
    return await (await router(incoming)).text();
  } catch (error) {
    return error instanceof ApiError ? error.type : String(error);
  }
};

const asked: [string, string | undefined, string][] = [
  ["GET /open", undefined, "open"],
  ["POST /open", undefined, "authentication_error"],
  ["POST /open", "ada", "not_found_error"],
  ["GET /open/", undefined, "authentication_error"],
  ["GET /private", undefined, "authentication_error"],
  ["GET /private", "ada", "private to ada"],
  ["HEAD /private", "ada", "not_found_error"],
  ["GET /nothing", undefined, "authentication_error"],
  ["GET /nothing", "ada", "not_found_error"],
];
test.each(asked)("%s asked by %p gives %s", async (route, caller, expected) => {
  expect(await ask(route, caller)).toBe(expected);
});

test("a handler for all below a path has every method and every path there, without a bearer", async () => {
  for (const route of ["GET /api", "PUT /api", "GET /api/", "DELETE /api/a/b", "GET /api//x"]) {
    expect(await ask(route)).toBe("below");
  }
  expect(await ask("GET /other/a")).toBe("other");
});

test("it has no path that only begins like its own, in another case, or with its slash encoded", async () => {
  for (const path of ["/apix", "/api.", "/API", "/api%2Fa", "//api", "/v1/api", "/ap"]) {
    expect(await ask(`GET ${path}`)).toBe("authentication_error");
  }
});

test("an open route below it stays, one for signed-in callers does not", async () => {
  expect(await ask("GET /api/open")).toBe("open below");
  expect(await ask("GET /api/private", "ada")).toBe("below");
});

test("its paths are told, each once, whatever the methods", () => {
  expect(router.paths).toEqual({
    exact: ["/open", "/api/open", "/private", "/api/private"],
    below: ["/api", "/other"],
  });
});

test("without any, nothing changes", async () => {
  const plain = createRouter({ open: {}, signedIn: { "GET /a": answer("a") } }, async () => "ada");
  const incoming = { request: new Request("http://gateway"), path: "/a" } as Incoming;
  expect(await (await plain(incoming)).text()).toBe("a");
});
