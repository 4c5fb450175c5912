// Calls through a running gateway as a client makes them, and what the developer reads when one is refused.
import type { MessagesPath } from "../../src/upstream/upstream.ts";
import type { Scene } from "./scene.ts";

export type CallInit = {
  path?: MessagesPath;
  /** Further members of the body. */
  fields?: object;
  headers?: Record<string, string>;
  /** Ada's when not given. */
  bearer?: string;
  signal?: AbortSignal;
};

/** Sends one call. An answer that redirects is the answer. */
export async function ask(
  scene: Pick<Scene, "gateway" | "bearer">,
  model: string,
  init: CallInit = {},
): Promise<Response> {
  const { path = "/v1/messages", fields, headers, bearer = await scene.bearer(), ...rest } = init;
  return fetch(scene.gateway.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, ...headers },
    body: JSON.stringify({
      model,
      max_tokens: 16,
      messages: [{ role: "user", content: "hi" }],
      ...fields,
    }),
    redirect: "manual",
    ...rest,
  });
}

export async function refusalIn(response: Response) {
  const { error } = (await response.json()) as { error: { type: string; message: string } };
  return { status: response.status, type: error.type, message: error.message };
}
