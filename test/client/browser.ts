// The browser half of a sign-in through oidc-provider's development interactions.
import { createBrowser, type Page } from "../../src/demo/browser.ts";

/** Opens the verification page, confirms the code, signs in at the IdP as `person`, and returns the last page. */
export async function approve(base: string, userCode: string, person: string): Promise<Page> {
  const browser = createBrowser(fetch);
  let page = await browser.submit(await browser.open(`${base}/device?user_code=${userCode}`), {});
  // One form to say who it is, then one or more to consent.
  for (let step = 0; step < 4 && page.url.includes("/interaction/"); step++) {
    const asksWho = page.html.includes('name="login"');
    page = await browser.submit(page, asksWho ? { login: person, password: "x" } : {});
  }
  return page;
}
