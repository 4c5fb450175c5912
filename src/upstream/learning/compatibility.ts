// Learning what an upstream does not take (`compatibility: { learn: true }`): a 400 that names a beta or a body field which it
// does not know is answered by the same request without that, once, and what helped is left out for a day. Which texts name
// what, and what may never be left out, is in refused-items.ts; how it is left out is each provider's.
import { log } from "../../log.ts";
import { betasSent } from "../request/betas.ts";
import { readAtMost } from "../answer/body.ts";
import { messageIn } from "../answer/error-message.ts";
import { type Exchange, nothingOmitted, type Omissions } from "../exchange.ts";
import { type Item, refusedItems } from "./refused-items.ts";
import type { OutboundCall } from "../upstream.ts";

/** As much of a refusal as is read. */
const refusalBytesMax = 64 * 1024;

/** How long something is left out before it is tried anew, in milliseconds. */
const keptMs = 24 * 3600_000;

/** Most items that are left out on one path for one model, and most that are remembered in all. */
const itemsPerPlaceMax = 8;
const itemsMax = 1_000;

/** Most betas beside which a field is known to be refused. Claude Code sends about ten. */
const besideMax = 64;

const utf8 = new TextDecoder();

/** A call on its way, once: the omissions are seen to. */
export type Sender = (outbound: OutboundCall, signal: AbortSignal) => Promise<Response>;

/** The exchange of an upstream as its `compatibility:` wants it. @param options as of createLearningExchange. */
export function createSender(
  exchange: Exchange,
  {
    compatibility,
    ...options
  }: { compatibility: { learn: boolean }; owner: string; now: () => number },
): Sender {
  if (compatibility.learn) return createLearningExchange(exchange, options);
  return (outbound, signal) => exchange(outbound, nothingOmitted, signal);
}

/**
 * An exchange that learns. It sends at most twice: a second refusal is the answer, and what that one names is left out of later
 * requests only.
 *
 * What is learned holds for one path and one upstream model: counting takes less than inference. And since a field is refused
 * where its beta is missing, one is left out only of requests whose betas it has been refused beside; else what one
 * developer's client forgot would be taken from everyone.
 *
 * @param options.owner the upstream's name, for the log.
 * @param options.now milliseconds since the epoch.
 */
export function createLearningExchange(
  exchange: Exchange,
  options: { owner: string; now: () => number },
): Sender {
  const memory = createMemory(options);

  return async (outbound, signal) => {
    const omit = memory.omissionsFor(outbound);
    const first = await exchange(outbound, omit, signal);
    const said = await refusalOf(first);
    if (said === undefined) return first;
    const items = refusedItems(said, outbound, omit);
    if (items.length === 0 || !memory.hasRoomFor(items, outbound)) return first;

    first.body?.cancel().catch(() => undefined);
    const without = omitting(omit, items);
    const second = await exchange(outbound, without, signal);
    const saidNext = await refusalOf(second);
    // Refused in the same words without it: it was not that.
    if (saidNext === said) return second;
    memory.learn(items, outbound, omit);
    const next = saidNext === undefined ? [] : refusedItems(saidNext, outbound, without);
    if (memory.hasRoomFor(next, outbound)) memory.learn(next, outbound, without);
    return second;
  };
}

type Learned = Item & {
  untilMs: number;
  /** Betas of the requests in which it was refused. */
  beside: ReadonlySet<string>;
};

function createMemory({ owner, now }: { owner: string; now: () => number }) {
  /** By path and upstream model. What has run out stays while there is room, so that nobody is warned of it again. */
  const places = new Map<string, Learned[]>();

  function omissionsFor(outbound: OutboundCall): Omissions {
    if (places.size === 0) return nothingOmitted;
    const known = places.get(placeOf(outbound));
    if (known === undefined) return nothingOmitted;
    const at = now();
    const current = known.filter(({ untilMs }) => at < untilMs);
    const withoutBetas = omitting(
      nothingOmitted,
      current.filter(({ kind }) => kind === "beta"),
    );
    const sent = betasSent(outbound, withoutBetas.betas);
    const refusedBeside = ({ kind, beside }: Learned) =>
      kind === "field" && sent.every((beta) => beside.has(beta));
    return omitting(withoutBetas, current.filter(refusedBeside));
  }

  /** Whether all of them can be remembered. What cannot is not left out either: nobody would hear of it. */
  function hasRoomFor(items: readonly Item[], outbound: OutboundCall): boolean {
    if (items.length === 0) return true;
    if (betasSent(outbound, nothingOmitted.betas).length > besideMax) return false;
    if (fits(items, placeOf(outbound))) return true;
    forgetWhatRanOut();
    return fits(items, placeOf(outbound));
  }

  function fits(items: readonly Item[], place: string): boolean {
    const known = places.get(place) ?? [];
    const added = items.filter((item) => entryFor(known, item) === undefined).length;
    const total = [...places.values()].reduce((sum, list) => sum + list.length, 0);
    return known.length + added <= itemsPerPlaceMax && total + added <= itemsMax;
  }

  function forgetWhatRanOut(): void {
    const at = now();
    for (const [place, known] of places) {
      const kept = known.filter(({ untilMs }) => at < untilMs);
      if (kept.length > 0) places.set(place, kept);
      else places.delete(place);
    }
  }

  /** @param omit what had been left out when they were refused. */
  function learn(items: readonly Item[], outbound: OutboundCall, omit: Omissions): void {
    const at = now();
    const place = placeOf(outbound);
    const sent = betasSent(outbound, omit.betas);
    for (const item of items) {
      const known = places.get(place) ?? [];
      const entry = entryFor(known, item);
      if (entry === undefined) {
        places.set(place, [...known, { ...item, untilMs: at + keptMs, beside: new Set(sent) }]);
        warn(item, outbound);
      } else if (at >= entry.untilMs) {
        entry.untilMs = at + keptMs;
        entry.beside = new Set(sent);
      } else {
        // No beta of one request nor of the other lets the field in, so none of both together does.
        const beside = new Set([...entry.beside, ...sent]);
        if (beside.size <= besideMax) entry.beside = beside;
      }
    }
  }

  function warn({ kind, name }: Item, { path, upstreamModel, requestId }: OutboundCall): void {
    const what = kind === "beta" ? `the beta ${name}` : `the body field ${name}`;
    log.warn(
      `upstream '${owner}' does not take ${what} for ${upstreamModel} on ${path} request_id=${requestId}: ` +
        "it is left out there for 24 hours, then tried anew, because compatibility.learn is true on this upstream",
    );
  }

  return { omissionsFor, hasRoomFor, learn };
}

function placeOf({ path, upstreamModel }: OutboundCall): string {
  return `${path} ${upstreamModel}`;
}

function entryFor(known: readonly Learned[], { kind, name }: Item): Learned | undefined {
  return known.find((entry) => entry.kind === kind && entry.name === name);
}

/** With these left out, too; the very same when there are none. */
function omitting(omit: Omissions, items: readonly Item[]): Omissions {
  if (items.length === 0) return omit;
  const named = (kind: Item["kind"]) =>
    items.filter((item) => item.kind === kind).map(({ name }) => name);
  return {
    betas: new Set([...omit.betas, ...named("beta")]),
    fields: new Set([...omit.fields, ...named("field")]),
  };
}

/** What a 400 says; undefined for every other answer, and for what is no error body or too long for one. The answer stays whole. */
async function refusalOf(answer: Response): Promise<string | undefined> {
  if (answer.status !== 400) return undefined;
  const { bytes, cut } = await readAtMost(answer.clone() as Response, refusalBytesMax);
  return cut ? undefined : messageIn(utf8.decode(bytes));
}
