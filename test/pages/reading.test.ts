// The sign-in pages as chromium shows them, as far as reading can be measured: contrast, room, requests. Typing and pressing:
// pressing.test.ts. What the pages say and their headers: test/oauth/.
import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { describeInChromium, phone, schemes } from "./chromium.ts";
import {
  type Contrast,
  overflowing,
  setTextSize,
  shapeContrasts,
  textContrasts,
} from "./measure.ts";
import type { Sample } from "./samples.ts";

const samples: Sample[] = [
  "entry",
  "refused",
  "approval",
  "elsewhere",
  "long",
  "denied",
  "signedIn",
  "failed",
  "interrupted",
  "landing",
];

describeInChromium("the pages to be read in a browser", ({ open, takeAsked }) => {
  test.each(samples)(
    "%s is readable in both schemes: contrast 4.5 for text, 3 for shapes",
    async (name) => {
      const { page } = await open(name);
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme });
        const texts = await page.evaluate<Contrast[]>(textContrasts);
        const shapes = await page.evaluate<Contrast[]>(shapeContrasts);
        expect(texts.length).toBeGreaterThan(2);
        expect(texts.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
        expect(shapes.length).toBeGreaterThan(0);
        expect(shapes.filter(({ ratio }) => ratio < 3)).toEqual([]);
      }
    },
  );

  test("the two schemes differ, and the browser's own controls follow", async () => {
    const colour = `getComputedStyle(document.body).backgroundColor`;
    const { page } = await open("entry");
    await page.emulateMedia({ colorScheme: "light" });
    const light = await page.evaluate<string>(colour);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await page.evaluate<string>(colour)).not.toBe(light);
    const own = `getComputedStyle(document.documentElement).colorScheme`;
    expect(await page.evaluate<string>(own)).toBe("light dark");
  });

  test.each(samples)(
    "%s is loaded by one request, without a complaint of the browser",
    async (name) => {
      const { page, complaints } = await open(name);
      await page.waitForTimeout(100);
      expect(takeAsked().map(({ path }) => path)).toEqual([`/${name}`]);
      expect(complaints).toEqual([]);
    },
  );

  test.each(samples)(
    "%s never scrolls sideways, from 320 pixels up, also with text of twice the size",
    async (name) => {
      const { page } = await open(name);
      for (const fontSize of ["100%", "200%"]) {
        await page.evaluate(setTextSize(fontSize));
        for (const width of [320, 375, 640, 1280]) {
          await page.setViewportSize({ width, height: 800 });
          expect([fontSize, width, await page.evaluate<string[]>(overflowing)]).toEqual([
            fontSize,
            width,
            [],
          ]);
        }
      }
    },
  );

  test("the code, the warning and both buttons fit a phone's screen", async () => {
    const { page } = await open("approval");
    const deny = await boxOf(page, "Deny");
    expect(deny.y + deny.height).toBeLessThanOrEqual(phone.height);
  });

  test.each([375, 1280])(
    "at %d pixels Deny is as large as the other button, and both are easy to hit",
    async (width) => {
      const { page } = await open("approval");
      await page.setViewportSize({ width, height: 800 });
      const [approve, deny] = [await boxOf(page, /continue/), await boxOf(page, "Deny")];
      expect(deny.width).toBeCloseTo(approve.width, 0);
      expect(deny.height).toBeCloseTo(approve.height, 0);
      expect(deny.height).toBeGreaterThanOrEqual(44);
    },
  );

  test("the notice keeps its line breaks", async () => {
    const { page } = await open("refused");
    expect(await page.locator(".notice p").innerText()).toStartWith(
      "By signing in you accept the rules.\n\nUse",
    );
  });

  test("nothing moves for a person who asked for less motion", async () => {
    const duration = `getComputedStyle(document.querySelector("button")).transitionDuration`;
    const { page } = await open("approval");
    expect(await page.evaluate<string>(duration)).toBe("0s");
    await page.emulateMedia({ reducedMotion: "no-preference" });
    expect(await page.evaluate<string>(duration)).not.toBe("0s");
  });
});

async function boxOf(page: Page, name: string | RegExp) {
  const box = await page.getByRole("button", { name }).boundingBox();
  if (box === null) throw new Error(`no button ${name}`);
  return box;
}
