// As much of a web browser as signing in needs: cookies kept per origin, redirects followed, the first form of a page
// read and sent with the headers by which a server tells its own page from a foreign one. What to click is walk-through.ts.

/** A page that was loaded: where it was in the end, and what it says. */
export type Page = { url: string; status: number; html: string };

/** The part of `fetch` that is used here. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

const redirectsMax = 10;

/** A browser with an empty cookie jar. Its functions throw an Error when a page redirects without end. */
export function createBrowser(send: Send) {
  const cookies = new Map<string, string>();

  async function load(
    url: string,
    form?: { headers: Record<string, string>; body: string },
  ): Promise<Page> {
    let target = new URL(url);
    let next = form;
    for (let hop = 0; hop <= redirectsMax; hop += 1) {
      const cookie = cookies.get(target.origin);
      const response = await send(target.href, {
        method: next === undefined ? "GET" : "POST",
        headers: { ...next?.headers, ...(cookie === undefined ? {} : { cookie }) },
        body: next?.body ?? null,
        redirect: "manual",
      });
      keepCookies(target.origin, response);
      const location = response.headers.get("location");
      if (location === null)
        return { url: target.href, status: response.status, html: await response.text() };
      target = new URL(location, target);
      next = undefined;
    }
    throw new Error(`${url} redirects more than ${redirectsMax} times`);
  }

  /** Whole cookies are replaced by name; one that is emptied or expired at once is forgotten. */
  function keepCookies(origin: string, response: Response): void {
    const jar = new Map((cookies.get(origin) ?? "").split("; ").filter(Boolean).map(splitPair));
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = splitPair(line.split(";")[0] ?? "");
      if (value === "" || /;\s*max-age=0\b/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    cookies.set(origin, Array.from(jar, ([name, value]) => `${name}=${value}`).join("; "));
  }

  return {
    open: (url: string): Promise<Page> => load(url),

    /** Sends the page's first form: its own fields, and the given ones over them (what is typed, which button). */
    async submit(page: Page, fields: Record<string, string>): Promise<Page> {
      const form = readForm(page);
      const body = new URLSearchParams({ ...form.fields, ...fields }).toString();
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        origin: new URL(page.url).origin,
        "sec-fetch-site": "same-origin",
      };
      return load(form.action, { headers, body });
    },
  };
}

function readForm(page: Page): { action: string; fields: Record<string, string> } {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page.html);
  if (form === null)
    throw new Error(`no form on ${new URL(page.url).pathname}: ${visibleText(page)}`);
  const fields: Record<string, string> = {};
  for (const [tag] of (form[2] ?? "").matchAll(/<input\b[^>]*>/gi)) {
    const name = attribute(tag, "name");
    if (name !== "") fields[name] = attribute(tag, "value");
  }
  return { action: new URL(attribute(form[1] ?? "", "action"), page.url).href, fields };
}

/** What a person would read on the page, cut to 300 characters: for error messages. */
export function visibleText(page: Page): string {
  const body = page.html
    .replaceAll(/<(style|script|title)\b[\s\S]*?<\/\1>/gi, " ")
    .replaceAll(/<[^>]*>/g, " ");
  return unescapeHtml(body).replaceAll(/\s+/g, " ").trim().slice(0, 300);
}

function attribute(tag: string, name: string): string {
  return unescapeHtml(new RegExp(`\\b${name}="([^"]*)"`, "i").exec(tag)?.[1] ?? "");
}

function unescapeHtml(text: string): string {
  const characters: Record<string, string> = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
  };
  return text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, (entity) => characters[entity] ?? entity);
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf("=");
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
