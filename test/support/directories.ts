// Google's directory with its token endpoint, and Microsoft Graph, each on a local server that a test can bend; and an egress
// that finds them under the names of the real ones.
import { jwtVerify, type JWTHeaderParameters, type JWTPayload } from "jose";
import type { Egress } from "../../src/http/egress.ts";
import { egressFor } from "./egress.ts";
import { publicKey } from "./google.ts";

export type Question = { url: URL; authorization: string | null };

export type GoogleDirectory = {
  url: string;
  /** Groups by the address of the person. Whoever is not in here is unknown. */
  groups: Record<string, string[]>;
  /** How long access tokens serve. */
  lifeSeconds: number | undefined;
  /** Answers instead of the token endpoint, and of the directory. */
  tokenAnswer: (() => Response | Promise<Response>) | undefined;
  answer: ((question: Question) => Response | Promise<Response>) | undefined;
  /** What was asked since `straighten`. */
  assertions: { header: JWTHeaderParameters; payload: JWTPayload }[];
  questions: Question[];
  /** Plays `oauth2.googleapis.com` and `admin.googleapis.com` (internet.ts). */
  play: (request: Request) => Response | Promise<Response>;
  straighten(): void;
  stop(): Promise<void>;
};

/** Google's Directory API for access tokens that its own token endpoint gave, in pages as long as asked for. */
export function startGoogleDirectory(): GoogleDirectory {
  let given = 0;
  const straight = () => ({
    groups: {},
    lifeSeconds: 3600,
    tokenAnswer: undefined,
    answer: undefined,
    assertions: [],
    questions: [],
  });
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: play });
  const google: GoogleDirectory = {
    ...straight(),
    url: `http://127.0.0.1:${server.port}`,
    play,
    straighten: () => Object.assign(google, straight()),
    stop: () => server.stop(true),
  };

  function play(request: Request): Response | Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/token") return token(request);
    const question = { url, authorization: request.headers.get("authorization") };
    google.questions.push(question);
    return google.answer?.(question) ?? page(question);
  }

  async function token(request: Request): Promise<Response> {
    const form = new URLSearchParams(await request.text());
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer")
      return Response.json({ error: "unsupported_grant_type" }, { status: 400 });
    // When it was signed is the test's to check: some let their clocks run.
    const currentDate = new Date(0);
    const { payload, protectedHeader: header } = await jwtVerify(
      form.get("assertion") ?? "",
      publicKey,
      { currentDate },
    );
    google.assertions.push({ header, payload });
    if (google.tokenAnswer) return google.tokenAnswer();
    given++;
    return Response.json({ access_token: `ya29.${given}`, expires_in: google.lifeSeconds });
  }

  function page({ url, authorization }: Question): Response {
    if (url.pathname !== "/admin/directory/v1/groups") return new Response(null, { status: 404 });
    if (authorization !== `Bearer ya29.${given}`) return googleError(401, "authError", "Login");
    const all = google.groups[url.searchParams.get("userKey") ?? ""];
    if (!all) return googleError(404, "notFound", "Resource Not Found: userKey");
    const start = Number(url.searchParams.get("pageToken") ?? 0);
    const end = start + Number(url.searchParams.get("maxResults") ?? 10);
    const listed = all.slice(start, end).map((email) => ({ kind: "group", id: email, email }));
    return Response.json({
      kind: "admin#directory#groups",
      ...(listed.length > 0 ? { groups: listed } : {}),
      ...(end < all.length ? { nextPageToken: String(end) } : {}),
    });
  }

  return google;
}

/** An error as Google's APIs write it. */
export function googleError(status: number, reason: string, message: string): Response {
  const errors = [{ message, domain: "global", reason }];
  return Response.json({ error: { code: status, message, errors } }, { status });
}

export type Member = { "@odata.type"?: string; id: string };

export type Graph = {
  url: string;
  /** What the owner of an access token is a member of; undefined when Graph does not take it. */
  membersOf: (accessToken: string) => Member[] | undefined | Promise<Member[] | undefined>;
  answer: ((question: Question) => Response | Promise<Response>) | undefined;
  questions: Question[];
  straighten(): void;
  stop(): Promise<void>;
};

/** Microsoft Graph: the memberships of whoever asks, in pages as long as asked for. */
export function startGraph(tls?: { cert: string; key: string }): Graph {
  const straight = () => ({ membersOf: () => [], answer: undefined, questions: [] });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    ...(tls ? { tls } : {}),
    fetch(request) {
      const question = {
        url: new URL(request.url),
        authorization: request.headers.get("authorization"),
      };
      graph.questions.push(question);
      return graph.answer?.(question) ?? page(question);
    },
  });
  const graph: Graph = {
    ...straight(),
    url: `${tls ? "https" : "http"}://127.0.0.1:${server.port}`,
    straighten: () => Object.assign(graph, straight()),
    stop: () => server.stop(true),
  };

  async function page({ url, authorization }: Question): Promise<Response> {
    if (url.pathname !== "/v1.0/me/transitiveMemberOf") return graphError(404, "ResourceNotFound");
    const all = await graph.membersOf(authorization?.replace(/^Bearer /, "") ?? "");
    if (!all) return graphError(401, "InvalidAuthenticationToken");
    const start = Number(url.searchParams.get("$skiptoken") ?? 0);
    const end = start + Number(url.searchParams.get("$top") ?? 100);
    const next = new URL(url.pathname + url.search, publicOrigin(url));
    next.searchParams.set("$skiptoken", String(end));
    return Response.json({
      "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#directoryObjects",
      ...(end < all.length ? { "@odata.nextLink": next.href } : {}),
      value: all.slice(start, end),
    });
  }

  /** Over TLS it is asked under its own name, else under Microsoft's. */
  const publicOrigin = (url: URL) => (tls ? url.origin : "https://graph.microsoft.com");

  return graph;
}

/** An error as Microsoft Graph writes it. */
export function graphError(status: number, code: string, message = "words"): Response {
  return Response.json({ error: { code, message, innerError: {} } }, { status });
}

/** Groups with these ids, as Microsoft Graph lists them. */
export function graphGroups(...ids: string[]): Member[] {
  return ids.map((id) => ({ "@odata.type": "#microsoft.graph.group", id }));
}

/** A real egress with short time-outs that reaches these hosts at local servers, and no others. */
export function egressTo(hosts: Record<string, string>): Egress {
  const egress = egressFor({ allowLoopback: true, timeoutMs: 500, responseBytesMax: 1_000_000 });
  return {
    async fetch(url, init) {
      const { origin, pathname, search } = new URL(url);
      const local = hosts[origin];
      if (local === undefined) throw new Error(`nobody was to ask ${origin}`);
      return egress.fetch(local + pathname + search, init);
    },
  };
}

/** Both directories, and the way to them under the names of the real ones. */
export function startDirectories() {
  const google = startGoogleDirectory();
  const graph = startGraph();
  return {
    google,
    graph,
    egress: egressTo({
      "https://oauth2.googleapis.com": google.url,
      "https://admin.googleapis.com": google.url,
      "https://graph.microsoft.com": graph.url,
      "https://graph.microsoft.us": graph.url,
    }),
    straighten() {
      google.straighten();
      graph.straighten();
    },
    stop: () => Promise.all([google.stop(), graph.stop()]),
  };
}
