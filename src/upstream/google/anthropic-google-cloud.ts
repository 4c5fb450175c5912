// Anthropic's own platform on Google Cloud: the Messages API as it is, below a path that names project and workspace, with a
// credential of Google's.
import type { UpstreamOf } from "../../config/schema.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { Dialect } from "../exchange.ts";
import { createMessagesDialect } from "../messages-dialect.ts";
import { createGoogleCredential } from "./credentials.ts";

type Config = UpstreamOf<"anthropicGoogleCloud">;

export function createAnthropicGoogleCloud(config: Config, options: UpstreamOptions): Dialect {
  const base = config.base_url ?? defaultBase(config);
  const { auth, project_id: projectId } = config;
  const credential = createGoogleCredential(
    { accessToken: auth.access_token, keyFile: auth.service_account_json, projectId },
    { owner: `upstream '${config.name}'`, now: options.now },
  );

  return createMessagesDialect(credential, {
    base,
    fixed: config.headers,
    ...options,
  });
}

/** One host for every location. A `base_url` stands for the whole of it: a proxy knows where it leads. */
function defaultBase({ project_id, location, workspace_id }: Config): string {
  return `https://claude.googleapis.com/v1/projects/${project_id}/locations/${location}/workspaces/${workspace_id}/invoke`;
}
