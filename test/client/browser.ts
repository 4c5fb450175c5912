// The browser half of a sign-in, over plain HTTP: cookies per host, redirects, and the forms of the gateway's page and of
// oidc-provider's development interactions.

const hopsMax = 15;

export type Page = { status: number; url: string; text: string };

/** Opens the verification page, confirms the code, signs in at the IdP as `person`, and returns the last page. */
export async function approve(base: string, userCode: string, person: string): Promise<Page> {
  const visit = createVisitor(new URL(base).origin);
  const verification = await visit(`${base}/device?user_code=${userCode}`);
  const action = verification.text.match(/<form\b[^>]*action="([^"]+)"/)?.[1] ?? "/device";
  let page = await visit(new URL(action, base).href, {
    ...fieldsOf(verification.text),
    user_code: userCode,
  });
  // One form to say who it is, then one or more to consent.
  for (let step = 0; step < 4 && page.url.includes("/interaction/"); step++) {
    const login = page.text.includes('name="login"');
    page = await visit(
      page.url,
      login ? { prompt: "login", login: person, password: "x" } : { prompt: "consent" },
    );
  }
  return page;
}

/** Follows redirects as a browser does, with one cookie jar per host; a form makes the first request a POST. */
function createVisitor(
  origin: string,
): (url: string, form?: Record<string, string>) => Promise<Page> {
  const jars = new Map<string, Map<string, string>>();
  return async (start, form) => {
    let url = start;
    let body = form;
    for (let hop = 0; hop < hopsMax; hop++) {
      const { host } = new URL(url);
      const jar = jars.get(host) ?? new Map<string, string>();
      jars.set(host, jar);
      const response = await fetch(url, {
        redirect: "manual",
        method: body === undefined ? "GET" : "POST",
        headers: {
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
          ...(body === undefined ? {} : { origin, "sec-fetch-site": "same-origin" }),
        },
        body: body === undefined ? null : new URLSearchParams(body),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const pair = cookie.split(";", 1)[0] ?? "";
        jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
      }
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null) {
        return { status: response.status, url, text: await response.text() };
      }
      url = new URL(location, url).href;
      body = undefined;
    }
    throw new Error(`more than ${hopsMax} redirects from ${start}`);
  };
}

function fieldsOf(html: string): Record<string, string> {
  const inputs = [...html.matchAll(/<input\b[^>]*\bname="([^"]+)"[^>]*>/g)];
  return Object.fromEntries(
    inputs.map(([tag, name]) => [name, tag.match(/\bvalue="([^"]*)"/)?.[1] ?? ""]),
  );
}
