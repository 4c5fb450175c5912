// The IdP goes away, stumbles or talks nonsense under a running gateway: nobody is signed out by it, a sign-in can go on where it
// was, and all is well when the IdP is. How long anybody waits for a silent one: test/idp/exchanges.test.ts.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { openScene } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { untilTrue } from "../support/until-true.ts";

const scene = await openScene();
const { gateway, idp } = scene;
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
afterEach(() => idp.straighten());

const answerOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { error?: string }).error,
];

const outages: [string, () => Response][] = [
  ["500 without a word", () => new Response(null, { status: 500 })],
  ["502 in HTML", () => new Response("<html>Bad Gateway</html>", { status: 502 })],
  ["503", () => Response.json({ error: "temporarily_unavailable" }, { status: 503 })],
  ["503 with invalid_grant", () => Response.json({ error: "invalid_grant" }, { status: 503 })],
  ["429", () => Response.json({ error: "slow_down" }, { status: 429 })],
  ["200 in HTML", () => new Response("<html>Maintenance</html>")],
  ["JSON that is cut off", () => new Response('{"access_token":"at')],
  ["400 in HTML", () => new Response("invalid_grant", { status: 400 })],
];

describe("a refresh is 503 temporarily_unavailable, and the refresh token stays usable, when the IdP", () => {
  test.each(outages)("answers %s", async (_, answer) => {
    const { refresh_token = "" } = await flow.signIn();
    idp.bend.tokenAnswer = answer;
    expect(await answerOf(await flow.refresh(refresh_token))).toEqual([
      503,
      "temporarily_unavailable",
    ]);
    idp.bend.tokenAnswer = undefined;
    expect((await flow.refresh(refresh_token)).status).toBe(200);
  });

  test("is not there", async () => {
    const { refresh_token = "" } = await flow.signIn();
    await idp.goAway();
    expect(await answerOf(await flow.refresh(refresh_token))).toEqual([
      503,
      "temporarily_unavailable",
    ]);
    await gateway.audited("session.refresh", {
      result: "fail",
      step: "token_endpoint",
      answer: "temporarily_unavailable",
    });
    idp.comeBack();
    expect((await flow.refresh(refresh_token)).status).toBe(200);
  });

  test("has an error of its own, or does not know the gateway", async () => {
    const { refresh_token = "" } = await flow.signIn();
    for (const [status, error] of [
      [500, "server_error"],
      [401, "invalid_client"],
      [400, "unauthorized_client"],
    ] as const) {
      idp.bend.tokenAnswer = () => Response.json({ error }, { status });
      expect((await flow.refresh(refresh_token)).status).toBe(503);
    }
    idp.bend.tokenAnswer = undefined;
    expect((await flow.refresh(refresh_token)).status).toBe(200);
  });
});

test("only the IdP's own invalid_grant ends a session", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
  expect(await answerOf(await flow.refresh(refresh_token))).toEqual([401, "invalid_grant"]);
});

describe("a sign-in waits, says so, and goes on with the same code, when at the callback the IdP", () => {
  test.each(outages)("answers %s", async (_, answer) => {
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    idp.bend.tokenAnswer = answer;
    await isInterrupted(way, codes);
    idp.bend.tokenAnswer = undefined;
    await goesOn(codes);
  });

  test("is not there", async () => {
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    await idp.goAway();
    await isInterrupted(way, codes);
    idp.comeBack();
    await goesOn(codes);
  });

  test("hangs up", async () => {
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    const { promise, resolve } = Promise.withResolvers<void>();
    idp.bend.beforeTokens = () => promise;
    const interrupted = isInterrupted(way, codes);
    await untilTrue(() => idp.seen.tokenRequests.length === 1);
    await idp.goAway();
    await interrupted;
    resolve();
    idp.bend.beforeTokens = undefined;
    idp.comeBack();
    await goesOn(codes);
  });

  test("has no keys", async () => {
    await idp.rotateKey();
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    idp.bend.jwksAnswer = () => new Response(null, { status: 503 });
    await isInterrupted(way, codes);
    idp.bend.jwksAnswer = undefined;
    await goesOn(codes);
  });
});

test("reloading the page of an interrupted sign-in does not spoil it, though its code is used up", async () => {
  const codes = await flow.begin();
  const way = await flow.confirm(codes.user_code);
  idp.bend.tokenAnswer = () => new Response(null, { status: 502 });
  const interrupted = await fetch(way.callback, { headers: { cookie: way.cookie } });
  expect(interrupted.headers.get("set-cookie")).toContain("gw_dev=; Max-Age=0");

  idp.bend.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
  await flow.comeBack({ ...way, cookie: "" });
  idp.bend.tokenAnswer = undefined;
  await goesOn(codes);
});

test("reloading the page of a slow IdP waits for the same answer, and the code is sent once", async () => {
  const codes = await flow.begin();
  const way = await flow.confirm(codes.user_code);
  const { promise, resolve } = Promise.withResolvers<void>();
  idp.bend.beforeTokens = () => promise;
  const pages = [flow.comeBack(way), flow.comeBack(way)];
  await Bun.sleep(50);
  resolve();
  for (const page of await Promise.all(pages)) expect(page).toContain("signed in");
  expect(idp.seen.tokenRequests).toHaveLength(1);
  expect((await flow.poll(codes.device_code)).status).toBe(200);
});

type Codes = Awaited<ReturnType<typeof flow.begin>>;
type Way = Awaited<ReturnType<typeof flow.confirm>>;

async function isInterrupted(way: Way, { user_code, device_code }: Codes): Promise<void> {
  const page = await flow.comeBack(way);
  expect(page).toContain("its code stays valid");
  expect(page).toMatch(/<form method="get" action="\/device">/);
  expect(page).toContain(`name="user_code" value="${user_code}"`);
  expect(await answerOf(await flow.poll(device_code))).toEqual([400, "authorization_pending"]);
}

/** What the button of the page leads to: the verification page, and from there through the IdP again. */
async function goesOn({ user_code, device_code }: Codes): Promise<void> {
  const page = await fetch(`${gateway.url}/device?user_code=${user_code}`);
  expect(await page.text()).toContain("Approve sign-in?");
  expect(await flow.comeBack(await flow.confirm(user_code))).toContain("signed in");
  expect((await flow.poll(device_code)).status).toBe(200);
}
