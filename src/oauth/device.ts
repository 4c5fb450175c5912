// Device grants (RFC 8628): their codes, their life from pending to delivered, and where they are kept. Every step is a
// compare-and-set on the stored row, so that whatever replicas and pollers do at once, a grant moves once and is delivered
// once. The pages that move it are in verification.ts, the polls in token.ts.
import { createHash, randomBytes, randomInt } from "node:crypto";
import type { Endings } from "../endings/endings.ts";
import type { Sealed } from "../sealed.ts";
import type { BearerClaims } from "../session.ts";
import type { KeyValue } from "../store/kv.ts";

/** Seconds for which a code can be used (`expires_in`). */
export const deviceCodeTtlSeconds = 600;
/** Seconds between two polls (`interval`). */
export const pollIntervalSeconds = 5;

/** Base 20, without vowels, so that no word comes up (RFC 8628 §6.1). */
const userCodeAlphabet = "BCDFGHJKMNPQRSTVWXYZ";

/** Draws of a user code before giving up; a second one is needed about once in 10^10 / pending grants. */
const userCodeDrawsMax = 5;

/** Seconds of tolerance for a poll that comes a little early because of the network. */
const pollToleranceSeconds = 1;

/** What was asked, from where: shown on the verification page. Times in milliseconds since the epoch. */
export type GrantRequest = {
  surface: string | undefined;
  requestedFrom: string;
  requestedAt: number;
};

export type DeviceGrant = GrantRequest &
  (
    | { state: "pending" }
    | {
        state: "approved";
        claims: BearerClaims;
        idpRefreshToken: string | undefined;
        /** When the person signed in, in seconds since the epoch; absent from grants of older versions. */
        beganAtSeconds?: number;
      }
    | { state: "denied" }
  );

/** A stored grant with what a compare-and-set needs. `text` is the row as read. */
export type StoredGrant<Grant extends DeviceGrant = DeviceGrant> = {
  readonly key: string;
  readonly text: string;
  readonly grant: Grant;
};
export type PendingGrant = StoredGrant<Extract<DeviceGrant, { state: "pending" }>>;

export type DeviceGrants = {
  start(request: GrantRequest): Promise<{ deviceCode: string; userCode: string }>;
  /** The pending grant of a code as a person typed it; `undefined` for an unknown, expired or used one. */
  findPending(typedCode: string): Promise<PendingGrant | undefined>;
  /** The grant behind a key from `findPending`, whatever its state; `undefined` when it has expired or was delivered. */
  read(key: string): Promise<StoredGrant | undefined>;
  /** False when somebody else moved the grant first. */
  approve(
    stored: StoredGrant,
    claims: BearerClaims,
    idpRefreshToken: string | undefined,
  ): Promise<boolean>;
  deny(stored: StoredGrant): Promise<boolean>;
  /** Removes the grant. True for exactly one caller. */
  take(stored: StoredGrant): Promise<boolean>;
  /** Notes a poll. True when the last one was less than the interval ago. */
  pollsTooFast(key: string): Promise<boolean>;
  keyOf(deviceCode: string): string;
};

/** Grants as sealed rows of the store, which expire by themselves. Every function throws when the store fails. */
export function createDeviceGrants(
  kv: KeyValue,
  sealed: Sealed<DeviceGrant>,
  endings: Pick<Endings, "beginningOf">,
): DeviceGrants {
  async function read(key: string): Promise<StoredGrant | undefined> {
    const text = await kv.get(key);
    if (text === undefined) return undefined;
    const grant = await sealed.open(text);
    return grant && { key, text, grant };
  }

  async function move(stored: StoredGrant, next: DeviceGrant): Promise<boolean> {
    return kv.replace(stored.key, stored.text, await sealed.seal(next));
  }

  return {
    read,

    async start(request) {
      const deviceCode = randomBytes(32).toString("base64url");
      const key = keyOf(deviceCode);
      await kv.put(key, await sealed.seal({ ...request, state: "pending" }), deviceCodeTtlSeconds);
      for (let draw = 0; draw < userCodeDrawsMax; draw++) {
        const letters = Array.from(
          { length: 8 },
          () => userCodeAlphabet[randomInt(userCodeAlphabet.length)],
        ).join("");
        if (await kv.insert(userCodeKey(letters), key, deviceCodeTtlSeconds)) {
          return { deviceCode, userCode: `${letters.slice(0, 4)}-${letters.slice(4)}` };
        }
      }
      throw new Error("no free user code");
    },

    async findPending(typedCode) {
      const letters = lettersOf(typedCode);
      if (letters === undefined) return undefined;
      const key = await kv.get(userCodeKey(letters));
      const stored = key === undefined ? undefined : await read(key);
      return stored !== undefined && isPending(stored) ? stored : undefined;
    },

    approve: (stored, claims, idpRefreshToken) =>
      move(stored, {
        ...requestOf(stored.grant),
        state: "approved",
        claims,
        idpRefreshToken,
        beganAtSeconds: endings.beginningOf(claims.sub),
      }),
    deny: (stored) => move(stored, { ...requestOf(stored.grant), state: "denied" }),
    take: (stored) => kv.take(stored.key, stored.text),
    pollsTooFast: async (key) =>
      !(await kv.insert(`${key}:poll`, "", pollIntervalSeconds - pollToleranceSeconds)),
    keyOf,
  };
}

/** Whether a grant still waits for a person. */
export function isPending(stored: StoredGrant): stored is PendingGrant {
  return stored.grant.state === "pending";
}

/** The letters of a code as a person typed it, with any case, blanks and dashes; `undefined` when it can be no code. */
export function lettersOf(typedCode: string): string | undefined {
  const letters = typedCode.toUpperCase().replaceAll(/[\s-]/g, "");
  return /^[A-Z]{8}$/.test(letters) ? letters : undefined;
}

/** The code itself is never stored: who reads the table cannot poll with it. */
function keyOf(deviceCode: string): string {
  return `device:dc:${createHash("sha256").update(deviceCode).digest("hex")}`;
}

function userCodeKey(letters: string): string {
  return `device:uc:${letters}`;
}

function requestOf({ surface, requestedFrom, requestedAt }: DeviceGrant): GrantRequest {
  return { surface, requestedFrom, requestedAt };
}
