// What a request asks for: its path, byte for byte as it was sent, and its query. The runtime shows a URL only after it has
// resolved dot segments (`%2e` too), turned backslashes round and encoded what is not ASCII; its own router alone compares
// the bytes as they came. So each path that is routed is registered there, and what then only looks like one of them was
// spelled in another way. Which handler a path has is router.ts's.

/** What is routed: by whole path, and by the path that others are below of. */
export type RoutedPaths = { readonly exact: readonly string[]; readonly below: readonly string[] };

export type Target = { readonly path: string; readonly search: string };

/** Answers a request on a server, by its target. */
export type AnswerTo<Server> = (
  request: Request,
  server: Server,
  target: Target,
) => Promise<Response>;

type Serve<Server> = (request: Request, server: Server) => Promise<Response>;

/**
 * `routes` and `fetch` of Bun.serve that answer every request with its target. A path that became one of these only by being
 * read leniently is given as `/.` and that path: one of the ways it may have been spelled, and nobody's route. Below one of
 * `paths.below` a path is as the runtime resolves it, and not resolved out of there. The authority of an absolute-form target
 * (RFC 9112 §3.2.2) is not shown by the runtime, so that `http://any/path` is `/path`.
 */
export function targetsOf<Server>(paths: RoutedPaths, answer: AnswerTo<Server>) {
  const exact = new Set(paths.exact);
  const isBelow = (path: string) => paths.below.some((top) => path.startsWith(`${top}/`));

  const routes: Record<string, Serve<Server>> = {};
  for (const path of [...paths.exact, ...paths.below]) {
    routes[path] = (request, server) =>
      answer(request, server, { path, search: splitUrl(request.url).search });
  }
  for (const top of paths.below) {
    exact.add(top);
    routes[`${top}/*`] = (request, server) => {
      const target = splitUrl(request.url);
      const isThere = target.path.startsWith(`${top}/`) && !exact.has(target.path);
      return answer(request, server, isThere ? target : respelled(target));
    };
  }
  const fetch: Serve<Server> = (request, server) => {
    const target = splitUrl(request.url);
    const isRouted = exact.has(target.path) || isBelow(target.path);
    return answer(request, server, isRouted ? respelled(target) : target);
  };
  return { routes, fetch };
}

/**
 * Path and query of a URL of a request. A fragment is dropped; a lone `?` is no query. The runtime gives the target itself in
 * place of a URL when there is no Host to make one with: for HTTP/1.0, and for CONNECT, whose target has no path.
 */
export function splitUrl(url: string): Target {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return { path: url.includes("://") ? "/" : url, search: "" };
  const hash = url.indexOf("#", start);
  const end = hash < 0 ? url.length : hash;
  const mark = url.indexOf("?", start);
  if (mark < 0 || mark > end) return { path: url.slice(start, end), search: "" };
  return { path: url.slice(start, mark), search: mark + 1 === end ? "" : url.slice(mark, end) };
}

function respelled({ path, search }: Target): Target {
  return { path: `/.${path}`, search };
}
