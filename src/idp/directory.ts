// A directory: whoever can be asked for all groups of a person when the IdP's claims do not list them. Here is what
// google-groups.ts and entra-groups.ts have in common: asking page after page within bounds, and what an answer other than
// 200 means. When which one is asked is in groups.ts.
import type { Egress } from "../http/egress.ts";
import { messageOf } from "../log.ts";
import { orAborted } from "../timer.ts";
import { isObject, isText, readAnswer } from "./answer.ts";
import { groupsMax } from "./claims.ts";
import { IdpError } from "./identity.ts";

/** Whose groups are asked for. The access token is the one that the person's own sign-in gave us. */
export type Person = { email: string | undefined; accessToken: string };

export type Directory = {
  /**
   * All groups of this person, under the names that policies use; an empty list says that there are none. Throws IdpError at
   * step `directory`: `refused` when there is no such person, `failed` when the directory refuses us, which says nothing of the
   * person and must not sign anybody out, and `unavailable` for all else.
   *
   * @param signal when to give up, if before the directory's own time is up
   */
  groupsOf(person: Person, signal?: AbortSignal): Promise<string[]>;
};

/** What one answer lists, and where the list goes on. */
export type Page = { groups: string[]; next: URL | undefined };

/** For all pages of one person together, in milliseconds, where whoever asks sets no other. */
const lookUpTimeoutMs = 20_000;
/** Pages of one person. They need not be full, but 10,000 groups fit into a quarter of these. */
const pagesMax = 200;

/**
 * Reads pages until there is no next one. Past the most groups that a person may have it stops: so many are refused at
 * admission. Throws IdpError at step `directory`; what `readPage` throws is one of kind `unavailable` afterwards.
 *
 * @param setting the key of `oidc` that asks for this, for the operator
 * @param signal when to give up
 */
export async function readPages(
  setting: string,
  first: URL,
  readPage: (url: URL, signal: AbortSignal) => Promise<Page>,
  signal = AbortSignal.timeout(lookUpTimeoutMs),
): Promise<string[]> {
  try {
    const groups: string[] = [];
    let url: URL | undefined = first;
    for (let pages = 0; url !== undefined && groups.length <= groupsMax; pages++) {
      if (pages === pagesMax) throw new Error(`${first.host} lists groups without an end`);
      const page: Page = await orAborted(signal, readPage(url, signal));
      groups.push(...page.groups);
      url = page.next;
    }
    return groups;
  } catch (cause) {
    const kind = cause instanceof IdpError ? cause.kind : "unavailable";
    const message = `${setting} lookup failed: ${messageOf(cause)}`;
    throw new IdpError(message, { step: "directory", kind, cause });
  }
}

export type Question = {
  /** Who is asked, for the operator. */
  name: string;
  url: URL;
  accessToken: string;
  signal: AbortSignal;
  egress: Egress;
  /** What to check when the directory refuses us (401, 403). */
  advice: string;
  /** Told when the access token is not accepted (401). */
  onRefusedToken?: () => void;
};

/** Asks for one page; resolves with the JSON object of a 200. Throws IdpError as `groupsOf` does, or what the egress throws. */
export async function askDirectory(question: Question): Promise<Record<string, unknown>> {
  const { name, url, accessToken, signal, egress, advice, onRefusedToken } = question;
  const headers = { accept: "application/json", authorization: `Bearer ${accessToken}` };
  const { status, body } = await readAnswer(await egress.fetch(url, { headers, signal }));
  if (status === 200 && body) return body;
  if (status === 401) onRefusedToken?.();

  const said = status === 200 ? "its answer is not a JSON object" : wordsOf(body?.error);
  // Without an error of the API in it, a 404 is some other server's, which knows nothing of people.
  const isUnknown = status === 404 && said !== undefined;
  const isOverQuota = said !== undefined && /limit|quota/i.test(said);
  const refusesUs = (status === 401 || status === 403) && !isOverQuota;
  const message = [`${name} ${status}`, said, refusesUs && advice].filter(isText).join(": ");
  const kind = isUnknown ? "refused" : refusesUs ? "failed" : "unavailable";
  throw new IdpError(message, { step: "directory", kind });
}

/** `notFound (Resource Not Found: userKey)`: the error objects of Google's APIs and of Microsoft Graph. */
function wordsOf(error: unknown): string | undefined {
  if (!isObject(error)) return undefined;
  const [detail] = [error.errors].flat();
  const code = [isObject(detail) && detail.reason, error.code, error.status].find(isText);
  const words = [code, isText(error.message) && `(${error.message})`].filter(isText);
  return words.length === 0 ? undefined : words.join(" ");
}
