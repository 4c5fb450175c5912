// The sign-in pages as chromium shows them, as far as typing, pressing and listening can be measured. Reading them:
// reading.test.ts. What the pages say and their headers: test/oauth/.
import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { describeInChromium, schemes } from "./chromium.ts";
import { type Focused, focused } from "./measure.ts";
import type { Sample } from "./samples.ts";

describeInChromium(
  "the pages used in a browser",
  ({ open, takeAsked, gatewayOrigin, authorizationUrl }) => {
    const stops: [Sample, string[]][] = [
      ["entry", ["user_code", "Continue"]],
      ["approval", ["This matches my device — continue", "Deny"]],
      ["landing", ["/.well-known/oauth-authorization-server", "/protocol"]],
    ];
    test.each(stops)(
      "the keyboard walks through %s in reading order and shows where it is",
      async (name, order) => {
        const { page } = await open(name);
        expect((await page.evaluate<Focused>(focused)).what).toBe("");
        for (const what of order) {
          await page.keyboard.press("Tab");
          for (const colorScheme of schemes) {
            await page.emulateMedia({ colorScheme });
            const stop = await page.evaluate<Focused>(focused);
            expect(stop).toMatchObject({ what, ringStyle: "solid" });
            expect(stop.ringWidth).toBeGreaterThanOrEqual(2);
            expect(stop.ringContrast).toBeGreaterThanOrEqual(3);
          }
        }
      },
    );

    test("a screen reader meets the code entry page as heading, alert, notice, named input and button", async () => {
      const { page } = await open("refused");
      const tree = await page.locator("main").ariaSnapshot();
      const roles = [
        ...tree.matchAll(/^ *- (heading|alert|region|textbox|button)\b(?: "([^"]*)")?/gm),
      ];
      expect(
        roles.map(([, role, name]) => (name === undefined ? role : `${role} ${name}`)),
      ).toEqual([
        "heading Enter the code from your device",
        "alert",
        "region Notice from your organization",
        "heading Notice from your organization",
        "textbox Code",
        "button Continue",
      ]);
      expect(await described(page, "textbox")).toMatch(
        /^Not accepted\. That code was not recognized.*Eight letters.*Only enter a code that your own device/,
      );
    });

    test("a screen reader spells the code, once, and reads the warning with the button that approves", async () => {
      const { page } = await open("approval");
      const tree = await page.locator("main").ariaSnapshot();
      expect(tree).toContain("F C D S, G F N B");
      expect(tree).not.toContain("FCDS");
      expect(tree.match(/- term: .*/g)).toEqual([
        "- term: Requested by",
        "- term: Requested",
        "- term: From address",
      ]);
      expect(await described(page, "button")).toMatch(/^Continue only if you started this sign-in/);
    });

    test("Enter posts the typed code, with our origin, and the redirect to the identity provider is followed", async () => {
      const { page, complaints } = await open("entry");
      await page.getByLabel("Code").fill("fcds gfnb");
      await page.keyboard.press("Enter");
      await page.waitForURL(authorizationUrl);
      expect(takeAsked().at(-1)).toMatchObject({
        method: "POST",
        path: "/device",
        origin: gatewayOrigin,
        form: { user_code: "fcds gfnb" },
      });
      expect(await page.textContent("body")).toBe("referer: null");
      expect(complaints).toEqual([]);
    });

    test("an empty form is not sent", async () => {
      const { page } = await open("entry");
      await page.getByRole("button", { name: "Continue" }).click();
      expect(takeAsked().map(({ method }) => method)).toEqual(["GET"]);
      expect((await page.evaluate<Focused>(focused)).what).toBe("user_code");
    });

    test.each([
      [/continue/, "/device"],
      ["Deny", "/device/deny"],
    ])(
      "the button %p posts the code to %s, and nothing does before it is pressed",
      async (name, path) => {
        const { page } = await open("approval");
        await page.keyboard.press("Enter");
        await page.waitForTimeout(100);
        expect(takeAsked().map(({ method }) => method)).toEqual(["GET"]);
        await page.getByRole("button", { name }).click();
        await page.waitForURL(authorizationUrl);
        expect(takeAsked()).toMatchObject([
          { method: "POST", path, origin: gatewayOrigin, form: { user_code: "FCDS-GFNB" } },
        ]);
      },
    );

    test("a form is not led on to an origin that its page does not name", async () => {
      const { page, complaints } = await open("misled");
      await page.getByRole("button", { name: /continue/ }).click();
      await expectSoon(() => complaints.some((text) => text.includes("form-action")));
      expect(page.url()).not.toBe(authorizationUrl);
    });
  },
);

/** The accessible description of the first element with a role, as the browser hands it to a screen reader. */
async function described(page: Page, role: string): Promise<string> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const node = nodes.find((found) => found.role?.value === role);
  return String(node?.description?.value ?? "");
}

/** Waits at most two seconds for something to become true. */
async function expectSoon(isTrue: () => boolean): Promise<void> {
  for (let waited = 0; waited < 2_000 && !isTrue(); waited += 50) await Bun.sleep(50);
  expect(isTrue()).toBe(true);
}
