// Which row of `pricing.overrides` prices a model on an upstream, and for which models every client finds the same one. The
// rows themselves are config's; what clients are told is policy's, what a request cost is the spend meter's.
import { type PriceOverride, rateNames } from "../config/pricing-schema.ts";
import type { Config, UpstreamConfig } from "../config/schema.ts";
import { catalog } from "./catalog.ts";
import { pricedNameOf } from "./list-prices.ts";
import { builtinBySpelling, type ModelDirectory, type ModelRoute } from "./resolve.ts";

type Read = Pick<Config, "pricing" | "models" | "upstreams">;

/** A model whose price is the same for everybody. */
export type PricedModel = {
  /** As `GET /v1/models` lists it, or would if it were not retired. */
  id: string;
  /** The row of the upstream that its requests go to first; of upstreams that share them, one each, with equal rates. */
  rows: readonly [PriceOverride, ...PriceOverride[]];
};

/** The row for a model that goes to `upstream` as `upstreamModel`; undefined where the list price holds. */
export type PriceOverrides = (route: ModelRoute, model: string) => PriceOverride | undefined;

/** What the spellings of one built-in model have in common as the model of a row: its name without a date. */
export function priceKeyOf(spelling: string): string {
  const plain = spelling.toLowerCase();
  return builtinBySpelling.get(plain)?.foundry ?? plain;
}

/**
 * The look-up of rows. The most specific one counts: one that spells the upstream's id, then one that spells the client's,
 * then one for the Claude model that the call would be priced as by its list price. Case never matters.
 */
export function createPriceOverrides(rows: readonly PriceOverride[]): PriceOverrides {
  const bySpelling = new Map(rows.map((row) => [place(row.upstream, row.model), row]));
  const byName = new Map(rows.map((row) => [place(row.upstream, priceKeyOf(row.model)), row]));
  return (route, model) => {
    const { upstream, upstreamModel } = route;
    const name = pricedNameOf(route, model);
    return (
      bySpelling.get(place(upstream, upstreamModel)) ??
      bySpelling.get(place(upstream, model)) ??
      (name === undefined ? undefined : byName.get(place(upstream, name)))
    );
  };
}

/**
 * The models that a client may ask for by an id of the list and that a row prices. Left out is a model whose price depends on
 * who asks or on a draw: the upstream it goes to first is not everybody's, or upstreams of other rates share its requests.
 */
export function pricedModels(config: Read, models: ModelDirectory): PricedModel[] {
  const rowOf = createPriceOverrides(config.pricing?.overrides ?? []);
  const upstreams = new Map(config.upstreams.map((upstream) => [upstream.name, upstream]));
  const everyGroup = config.upstreams.flatMap(({ groups }) => groups ?? []);
  const isEverybodys = ({ upstream }: ModelRoute) => upstreams.get(upstream)?.groups === undefined;

  return requestableIds(config).flatMap((id) => {
    const first = triedFirst(models.resolve(id, everyGroup).routes, upstreams);
    const [row, ...others] = first.map((route) => rowOf(route, id));
    const alike = others.filter((other) => other !== undefined);
    const isOnePrice =
      alike.length === others.length && alike.every((other) => hasRatesOf(other, row));
    return row !== undefined && isOnePrice && first.every(isEverybodys)
      ? [{ id, rows: [row, ...alike] }]
      : [];
  });
}

/** The routes that a request may be sent to before all others: one, or those that share the requests of one priority. */
function triedFirst(
  routes: readonly ModelRoute[],
  upstreams: ReadonlyMap<string, Pick<UpstreamConfig, "priority">>,
): readonly ModelRoute[] {
  const priorityOf = ({ upstream }: ModelRoute) => upstreams.get(upstream)?.priority;
  const best = Math.min(...routes.map((route) => priorityOf(route) ?? NaN));
  // Without priorities they are tried as they are listed.
  return Number.isNaN(best)
    ? routes.slice(0, 1)
    : routes.filter((route) => priorityOf(route) === best);
}

function hasRatesOf(row: PriceOverride, other: PriceOverride | undefined): boolean {
  return rateNames.every((rate) => row[rate] === other?.[rate]);
}

/** The operator's ids, then the built-in ones, each once whatever its case. */
function requestableIds({ models }: Read): string[] {
  const ids = new Map<string, string>();
  for (const { id } of [...models, ...catalog]) {
    if (!ids.has(id.toLowerCase())) ids.set(id.toLowerCase(), id);
  }
  return [...ids.values()];
}

function place(upstream: string, model: string): string {
  return JSON.stringify([upstream, model.toLowerCase()]);
}
