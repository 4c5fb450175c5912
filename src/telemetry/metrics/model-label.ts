// What a model is called in a label. Clients write what they like, in many spellings: only models that the configuration or the
// built-in catalog knows have a name here, one for all its spellings.
import type { Config } from "../../config/schema.ts";
import { catalog } from "../../models/catalog.ts";
import { keyOf } from "../../models/resolve.ts";

/** Names at most, `other` included. Each is a series of every instrument that has the label. */
export const modelLabelsMax = 200;

/** What is no known model, or one too many. */
export const otherModel = "other";

/** The label of a model as a client or an answer writes it; the operator's models come first where there are too many. */
export function createModelLabel(models: Config["models"]): (model: string | undefined) => string {
  const labels = new Map<string, string>();
  for (const { id } of [...models, ...catalog]) {
    const key = keyOf(id.toLowerCase());
    if (labels.size < modelLabelsMax - 1 && !labels.has(key)) labels.set(key, id);
  }
  return (model) => {
    if (model === undefined) return otherModel;
    return labels.get(keyOf(model.toLowerCase())) ?? otherModel;
  };
}
