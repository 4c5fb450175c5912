// A chromium for tests of rendered pages, beside a server that shows it the sample pages with the headers that every answer
// of the gateway has, writes down what the browser asks for, and sends forms on to a stand-in for the identity provider.
import { afterAll, afterEach, beforeAll, describe } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { type Sample, samplePages } from "./samples.ts";

const commonPlaces = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome-stable",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** CHROMIUM when it is set, else the first common place that has one. */
const executablePath = process.env["CHROMIUM"] || commonPlaces.find((path) => existsSync(path));

export const phone = { width: 375, height: 812 };
export const schemes = ["light", "dark"] as const;

/** One request of the browser; `form` is empty but for a POST. */
type Asked = { method: string; path: string; origin: string | null; form: Record<string, string> };

export type Chromium = {
  /** Opens a sample in a fresh tab, of a phone's size. What the browser complains of lands in `complaints`. */
  open: (sample: Sample) => Promise<{ page: Page; complaints: string[] }>;
  /** Every request since the test began or since the last call. */
  takeAsked: () => Asked[];
  gatewayOrigin: string;
  /** Where a posted form is redirected to. What is there shows the Referer it was asked with. */
  authorizationUrl: string;
};

/** `describe`, with a browser; without one its tests are skipped, and the output says so. */
export function describeInChromium(title: string, tests: (chromium: Chromium) => void): void {
  if (executablePath === undefined) {
    console.warn(`SKIPPED: ${title}. No chromium was found; CHROMIUM=/path/to/it names one.`);
  }
  describe.skipIf(executablePath === undefined)(title, () => {
    const identityProvider = serveIdentityProvider();
    const gateway = serveSamples(identityProvider);
    let browser: Browser | undefined;
    let context: BrowserContext | undefined;

    beforeAll(async () => {
      browser = await launch();
      context = await browser.newContext({ viewport: phone, reducedMotion: "reduce" });
    }, 40_000);
    afterEach(async () => {
      await Promise.all((context?.pages() ?? []).map((page) => page.close()));
      gateway.takeAsked();
    });
    afterAll(async () => {
      await browser?.close();
      await Promise.all([gateway.close(), identityProvider.close()]);
    });

    async function open(sample: Sample) {
      if (context === undefined) throw new Error("the browser has not started");
      const page = await context.newPage();
      const complaints: string[] = [];
      page.setDefaultTimeout(5_000);
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(`${gateway.origin}/${sample}`);
      return { page, complaints };
    }

    tests({
      open,
      takeAsked: gateway.takeAsked,
      gatewayOrigin: gateway.origin,
      authorizationUrl: identityProvider.authorizationUrl,
    });
  });
}

/** The sandbox needs an ordinary user. As root it is off: only pages of our own are shown. */
function launch(): Promise<Browser> {
  const chromiumSandbox = process.getuid?.() !== 0;
  return chromium.launch({
    executablePath: executablePath ?? "",
    chromiumSandbox,
    timeout: 30_000,
  });
}

/** As the listener puts them on every answer. */
const headersOfEveryAnswer = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

/** Each sample at `/<name>`; a POST is sent on to the identity provider, as an approved code is. */
function serveSamples(identityProvider: { origin: string; authorizationUrl: string }) {
  const pages = new Map(Object.entries(samplePages(identityProvider.origin)));
  const asked: Asked[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { method, headers } = request;
      const path = new URL(request.url).pathname;
      const form = Object.fromEntries(new URLSearchParams(await request.text()));
      asked.push({ method, path, origin: headers.get("origin"), form });
      if (method === "POST") return Response.redirect(identityProvider.authorizationUrl, 302);
      const page = pages.get(path.slice(1));
      if (page === undefined) return new Response("not found", { status: 404 });
      return new Response(page.html, { headers: { ...page.headers, ...headersOfEveryAnswer } });
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    takeAsked: () => asked.splice(0),
    close: () => server.stop(true),
  };
}

/** On another origin: the same machine by its other name. */
function serveIdentityProvider() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(`referer: ${request.headers.get("referer")}`),
  });
  const origin = `http://localhost:${server.port}`;
  return { origin, authorizationUrl: `${origin}/authorize`, close: () => server.stop(true) };
}
