// A store whose operations somebody is told of: which one it was, how long it took, and whether it did what it was asked. What is
// made of that, here nothing, is telemetry's. The operations themselves are in the files beside this one.
import type { Store } from "./store.ts";

/**
 * @param operation what it is called in this folder: `kv.get`, `ledger.apply`, `probe`
 * @param seconds until its promise was settled, waiting for a connection included
 * @param isOk false when it threw; a compare-and-set that changed nothing is ok
 */
export type StoreObserver = (operation: string, seconds: number, isOk: boolean) => void;

type Operation = (...operands: never[]) => Promise<unknown>;
type Operations<Part> = { readonly [name in keyof Part]: Operation };

/**
 * The same store, seen by an observer, which must not throw. What the store does by itself, its sweep, is not seen.
 * @param options.now milliseconds with fractions, of a clock that is never set: `performance.now`
 */
export function observedStore(
  store: Store,
  { now, observer }: { now: () => number; observer: StoreObserver },
): Store {
  function seen<Run extends Operation>(name: string, run: Run): Run {
    const observed = async (...operands: never[]) => {
      const beganMs = now();
      let isOk = false;
      try {
        const result = await run(...operands);
        isOk = true;
        return result;
      } finally {
        observer(name, (now() - beganMs) / 1000, isOk);
      }
    };
    return observed as Run;
  }

  function eachSeen<Part extends Operations<Part>>(name: string, part: Part): Part {
    const operations = Object.entries<Operation>(part).map(
      ([verb, run]) => [verb, seen(`${name}.${verb}`, run)] as const,
    );
    return Object.fromEntries(operations) as Part;
  }

  return {
    kv: eachSeen("kv", store.kv),
    ledger: eachSeen("ledger", store.ledger),
    standings: eachSeen("standings", store.standings),
    limits: eachSeen("limits", store.limits),
    effective: eachSeen("effective", store.effective),
    endings: eachSeen("endings", store.endings),
    probe: seen("probe", () => store.probe()),
    close: () => store.close(),
  };
}
