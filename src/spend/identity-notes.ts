// Which identities are to be written beside the spend: those that changed since this process last wrote them, and everybody's
// once a day. Where they go is store/ledger.ts's.
import { type IdentityEntry, isIndexable } from "../store/ledger.ts";

/** Who somebody is, as the bearer says. */
export type Identity = {
  readonly principal: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly groups: readonly string[];
};

export type IdentityNotes = {
  /** To be written unless it was already. @param day key of a day of periods.ts */
  note(identity: Identity, day: string): void;
  /** Some of those that are to be written, which from now on count as written. */
  take(): IdentityEntry[];
  readonly waiting: number;
};

/** People of whom is remembered what was written. One that is forgotten is written once more. */
const knownMax = 20_000;

/** People in one batch. A person may be in thousands of groups. */
const takenMax = 500;

export function createIdentityNotes(): IdentityNotes {
  /** Fingerprints, in the order in which they were written. */
  const known = new Map<string, string>();
  const waiting = new Map<string, IdentityEntry>();
  const groupsHashes = new WeakMap<readonly string[], string>();

  /** A bearer's groups are one array for as long as it lives; reading it costs more than anything else here. */
  function hashOf(groups: readonly string[]): string {
    const hash = groupsHashes.get(groups) ?? Bun.hash(JSON.stringify(groups)).toString(36);
    groupsHashes.set(groups, hash);
    return hash;
  }

  return {
    note({ principal, email, name, groups }, day) {
      const fingerprint = `${day}\0${email ?? ""}\0${name ?? ""}\0${hashOf(groups)}`;
      if (known.get(principal) === fingerprint || !isIndexable(principal)) return;
      if (waiting.size >= knownMax && !waiting.has(principal)) return;
      known.delete(principal);
      known.set(principal, fingerprint);
      const [oldest] = known.keys();
      if (known.size > knownMax && oldest !== undefined) known.delete(oldest);
      waiting.set(principal, [principal, email ?? null, name ?? null, groups, day]);
    },
    take() {
      const taken = [...waiting.values()].slice(0, takenMax);
      for (const [principal] of taken) waiting.delete(principal);
      return taken;
    },
    get waiting() {
      return waiting.size;
    },
  };
}
