// GET /metrics, and nothing else, on its own address.
import { afterEach, describe, expect, test } from "bun:test";
import { captureLog } from "../../spend/logged.ts";
import { listenForScrapes, type MetricsListener } from "../../../src/telemetry/metrics/listener.ts";
import { metricsScene } from "./scene.ts";
import { readExposition } from "./exposition.ts";

const open: MetricsListener[] = [];
function listening(text = () => Promise.resolve("# a\n")): MetricsListener {
  const listener = listenForScrapes({ host: "127.0.0.1", port: 0 }, text);
  open.push(listener);
  return listener;
}
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
});

test("a scrape has the text, in the content type of its format", async () => {
  const { url } = listening(metricsScene().text);
  const answer = await fetch(`${url}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(readExposition(await answer.text()).types).toHaveProperty("claude_gateway_build_info");
});

test("HEAD has the same head and no body", async () => {
  const { url } = listening(() => Promise.resolve("# 12\n"));
  const answer = await fetch(`${url}/metrics`, { method: "HEAD" });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  expect(answer.headers.get("content-length")).toBe("5");
  expect(await answer.text()).toBe("");
});

describe("anything else", () => {
  test.each([
    ["GET", "/"],
    ["GET", "/metrics/"],
    ["GET", "/METRICS"],
    ["GET", "/healthz"],
    ["GET", "/v1/models"],
    ["POST", "/metrics"],
    ["DELETE", "/metrics"],
    ["OPTIONS", "/metrics"],
  ])("%s %s is 404 and says nothing", async (method, path) => {
    let asked = 0;
    const { url } = listening(async () => String((asked += 1)));
    const answer = await fetch(url + path, { method });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe("");
    expect(asked).toBe(0);
  });

  test("with a body is 404, and with a large one 413", async () => {
    const { url } = listening();
    const post = (body: string) => fetch(`${url}/metrics`, { method: "POST", body });
    expect((await post("x".repeat(1_000))).status).toBe(404);
    expect((await post("x".repeat(100_000))).status).toBe(413);
  });
});

test("every answer has the security headers of the gateway", async () => {
  const { url } = listening();
  for (const path of ["/metrics", "/"]) {
    const { headers } = await fetch(url + path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  }
});

test("a query is let through, for Prometheus can be told to send one", async () => {
  const { url } = listening();
  expect((await fetch(`${url}/metrics?module=a`)).status).toBe(200);
});

test("metrics that cannot be collected are 500, and the log says where it went wrong", async () => {
  const logged = captureLog();
  const { url } = listening(() => Promise.reject(new Error("canary")));
  const answer = await fetch(`${url}/metrics`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("canary");
  expect(logged.lines().join()).toMatch(/error unhandled request_id=\S+ Error at /);
  logged.end();
});

test("an address that is taken is an error that names the settings", () => {
  const { port } = new URL(listening().url);
  const again = () => listenForScrapes({ host: "127.0.0.1", port: Number(port) }, async () => "");
  expect(again).toThrow(
    new RegExp(
      `^cannot listen on 127\\.0\\.0\\.1 port ${port} \\(metrics\\.host, metrics\\.port\\): `,
    ),
  );
  expect(again).not.toThrow(/listen\.host/);
});

test("once it is closed nobody is answered, and a scrape that hangs is cut", async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const listener = listening(() => {
    ask();
    return new Promise<string>(() => undefined);
  });
  const hanging = fetch(`${listener.url}/metrics`).catch(() => "cut");
  await asked;
  const closed = listener.close().then(() => "closed");
  expect(await Promise.race([closed, Bun.sleep(2_000)])).toBe("closed");
  expect(await hanging).toBe("cut");
  expect(await fetch(`${listener.url}/metrics`).catch(() => "closed")).toBe("closed");
});
