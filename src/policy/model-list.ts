// GET /v1/models: the models that the person who asks may use, in the shape of the Anthropic API.
import type { HandlerFor } from "../http/router.ts";
import type { ModelDirectory, ModelEntry } from "../models/resolve.ts";
import type { Principal } from "../session.ts";
import type { ModelAccess } from "./model-access.ts";
import type { Policies } from "./policy.ts";

/** Of the models that an upstream serves to somebody in these groups, those that a policy leaves. */
export function modelsFor(
  groups: readonly string[],
  access: ModelAccess,
  models: ModelDirectory,
): ModelEntry[] {
  return models.list(groups).filter(({ id }) => access.refusalOf(id) === undefined);
}

/** The handler of GET /v1/models. All of them are on the one page. */
export function createModelList(policies: Policies, models: ModelDirectory): HandlerFor<Principal> {
  return (_incoming, principal) =>
    Response.json({
      data: modelsFor(principal.groups, policies.accessOf(principal), models),
      has_more: false,
      first_id: null,
      last_id: null,
    });
}
