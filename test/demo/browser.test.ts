// The demo's browser against a small site on two ports.
import { afterAll, expect, test } from "bun:test";
import { createBrowser, visibleText } from "../../src/demo/browser.ts";

const other = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => new Response(`cookie: ${request.headers.get("cookie")}`),
});
const site = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/form") {
      return new Response(
        `<title>no</title><p>Fish &amp; chips</p><form method="post" action="/sent?a=1&amp;b=2">` +
          `<input type="hidden" name="kept" value="&lt;x&gt;"><input name="typed" value=""><button name="login" value="ada"></form>`,
        {
          headers: [
            ["set-cookie", "one=1; Path=/"],
            ["set-cookie", "two=2; HttpOnly"],
          ],
        },
      );
    }
    if (pathname === "/sent") {
      const { headers, url } = request;
      const seen = [headers.get("origin"), headers.get("sec-fetch-site"), headers.get("cookie")];
      return new Response([new URL(url).search, await request.text(), ...seen].join(" | "));
    }
    if (pathname === "/forget") {
      return new Response("", { headers: { "set-cookie": "one=gone; Max-Age=0" } });
    }
    const location = pathname === "/away" ? `http://localhost:${other.port}/` : "/round";
    return new Response(null, { status: 302, headers: { location } });
  },
});
const origin = `http://localhost:${site.port}`;
afterAll(() => Promise.all([site.stop(true), other.stop(true)]));

test("a form is sent with its own fields, what is typed, the page's origin and the site's cookies", async () => {
  const browser = createBrowser(fetch);
  const page = await browser.open(`${origin}/form`);
  const sent = await browser.submit(page, { typed: "me & you" });
  expect(sent.html).toBe(
    `?a=1&b=2 | kept=%3Cx%3E&typed=me+%26+you | ${origin} | same-origin | one=1; two=2`,
  );
});

test("a cookie that is taken back is not sent again", async () => {
  const browser = createBrowser(fetch);
  const page = await browser.open(`${origin}/form`);
  await browser.open(`${origin}/forget`);
  expect((await browser.submit(page, {})).html).toEndWith("| two=2");
});

test("cookies stay with the origin that set them, across a redirect too", async () => {
  const browser = createBrowser(fetch);
  await browser.open(`${origin}/form`);
  const page = await browser.open(`${origin}/away`);
  expect(page).toEqual({
    url: `http://localhost:${other.port}/`,
    status: 200,
    html: "cookie: null",
  });
});

test("redirects without end are an error", async () => {
  const error = await createBrowser(fetch).open(`${origin}/round`).catch(String);
  expect(error).toBe(`Error: ${origin}/round redirects more than 10 times`);
});

test("a page without a form is an error that says what the page shows", async () => {
  const page = { url: `${origin}/x`, status: 200, html: "<h1>Sorry</h1><p>Too many</p>" };
  const error = await createBrowser(fetch).submit(page, {}).catch(String);
  expect(error).toBe("Error: no form on /x: Sorry Too many");
});

test("what a person reads of a page has neither title nor tags, and real characters", async () => {
  const page = await createBrowser(fetch).open(`${origin}/form`);
  expect(visibleText(page)).toBe("Fish & chips");
});
