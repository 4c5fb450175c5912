// Which handler a request reaches. Paths match byte for byte: no decoding, no normalising, so that each path has one
// spelling and there is nothing to smuggle. Whatever is not an open route asks for a bearer first, so that someone without
// one cannot learn which paths exist.
import { ApiError } from "./errors.ts";
import type { Incoming } from "./request.ts";
import type { RoutedPaths } from "./target.ts";

type Answer = Response | Promise<Response>;
export type Handler = (incoming: Incoming) => Answer;
/** A handler that knows which paths it has; the listener makes sure that they reach it as they are spelled. */
export type Router = Handler & { readonly paths: RoutedPaths };
export type HandlerFor<Caller> = (incoming: Incoming, caller: Caller) => Answer;

/** Handlers by `METHOD /path`. */
export type Routes<Caller> = {
  /** Answered to anybody. */
  readonly open: Readonly<Record<string, Handler>>;
  /**
   * By path, for every method of it and of all paths below it: `/a` is for `/a` and `/a/b`, not for `/ab`. Comes after
   * `open` and before the bearer is asked for, so the handler has credentials of its own to check, first of all.
   */
  readonly below?: Readonly<Record<string, Handler>>;
  /** Answered to a caller with a valid bearer. */
  readonly signedIn: Readonly<Record<string, HandlerFor<Caller>>>;
};

/**
 * One handler for all routes.
 * @param authenticate the caller of a request; throws ApiError `authentication_error` when there is none.
 * @throws ApiError `not_found_error` (from the handler) for a path or method that does not exist, once authenticated.
 */
export function createRouter<Caller>(
  routes: Routes<Caller>,
  authenticate: (incoming: Incoming) => Promise<Caller>,
): Router {
  const open = new Map(Object.entries(routes.open));
  const below = Object.entries(routes.below ?? {}).map(([top, handler]) => ({
    top,
    inside: `${top}/`,
    handler,
  }));
  const signedIn = new Map(Object.entries(routes.signedIn));
  const route: Handler = async (incoming) => {
    const { path } = incoming;
    const key = `${incoming.request.method} ${path}`;
    const openHandler = open.get(key);
    if (openHandler !== undefined) return openHandler(incoming);
    for (const { top, inside, handler } of below) {
      if (path === top || path.startsWith(inside)) return handler(incoming);
    }
    const caller = await authenticate(incoming);
    const handler = signedIn.get(key);
    if (handler === undefined) throw new ApiError("not_found_error", "not found");
    return handler(incoming, caller);
  };
  const pathOf = (key: string) => key.slice(key.indexOf(" ") + 1);
  const exact = [...new Set([...open.keys(), ...signedIn.keys()].map(pathOf))];
  return Object.assign(route, { paths: { exact, below: below.map(({ top }) => top) } });
}
