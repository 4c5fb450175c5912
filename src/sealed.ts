// What the gateway hands out or stores but only it may read: encrypted to itself as JWE (RFC 7516, dir + A256GCM) under a
// key derived from session.jwt_secret. One key per purpose, so that a value sealed for one use opens for no other.
// Bearers, which clients may read, are in session.ts.
import { hkdfSync } from "node:crypto";
import { EncryptJWT, errors, jwtDecrypt } from "jose";
import { isCanonical, keyId } from "./session.ts";

export type Purpose = "device grant" | "authorization state" | "refresh token";

export type Sealed<Value> = {
  seal(value: Value, ttlSeconds?: number): Promise<string>;
  /** The value, or `undefined` when the text is not ours, was changed, has expired, or its secret is gone. */
  open(text: string): Promise<Value | undefined>;
};

/** Longest text opened, in characters; a refresh token of an IdP can be a few KB, a person in many groups tens of KB. */
const sealedLengthMax = 512 * 1024;

/**
 * @param options.secrets session.jwt_secret as a list: the first seals, all open.
 * @param options.now milliseconds since the epoch.
 */
export function createSealed<Value>(
  purpose: Purpose,
  options: { secrets: readonly string[]; now: () => number },
): Sealed<Value> {
  const keys = options.secrets.map((secret) => ({
    kid: keyId(secret),
    key: new Uint8Array(hkdfSync("sha256", secret, "", `claude-gateway ${purpose}`, 32)),
  }));
  return {
    async seal(value, ttlSeconds) {
      const [first] = keys;
      if (first === undefined) throw new Error("session.jwt_secret is empty");
      const token = new EncryptJWT({ value }).setProtectedHeader({
        alg: "dir",
        enc: "A256GCM",
        kid: first.kid,
      });
      if (ttlSeconds !== undefined)
        token.setExpirationTime(Math.floor(options.now() / 1000) + ttlSeconds);
      return token.encrypt(first.key);
    },
    async open(text) {
      if (text.length > sealedLengthMax || !text.split(".").every(isCanonical)) return undefined;
      try {
        const { payload } = await jwtDecrypt(
          text,
          ({ kid }) => {
            const found = keys.find((candidate) => candidate.kid === kid);
            if (found === undefined) throw new errors.JWEDecryptionFailed();
            return found.key;
          },
          {
            keyManagementAlgorithms: ["dir"],
            contentEncryptionAlgorithms: ["A256GCM"],
            currentDate: new Date(options.now()),
          },
        );
        return payload.value as Value;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
