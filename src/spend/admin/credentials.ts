// Who asks the admin API, and what they may do there: the keys of admin.write_keys and admin.read_keys, and people of
// admin.admin_groups with their own bearer. What a bearer is worth is session.ts's.
import { createHash, timingSafeEqual } from "node:crypto";
import type { AdminConfig } from "../../config/admin-schema.ts";
import type { Sessions } from "../../session.ts";
import { storable } from "../../store/stored-text.ts";

export type Administrator = {
  /** As the trail names them: `admin-key:<id>` or `oidc:<sub>`, as the database can keep it. */
  readonly actor: string;
  readonly mayWrite: boolean;
};

export type Denial = "no_credentials" | "invalid_key" | "bearer_rejected";

/**
 * A key that is sent decides alone: a wrong one is not made good by a bearer. Nothing about the keys shows in the time that
 * this takes: each is hashed and compared with every one, to the end.
 */
export function createCredentials(
  admin: Pick<AdminConfig, "write_keys" | "read_keys" | "admin_groups">,
  sessions: Pick<Sessions, "authenticate">,
): (headers: Headers) => Promise<Administrator | Denial> {
  // A key that is in both lists may write.
  const keys = [
    ...admin.write_keys.map(({ id, key }) => ({ id, hash: hashOf(key), mayWrite: true })),
    ...admin.read_keys.map(({ id, key }) => ({ id, hash: hashOf(key), mayWrite: false })),
  ];
  const groups = new Set(admin.admin_groups);

  function holderOf(key: string): Administrator | Denial {
    const hash = hashOf(key);
    const [known] = keys.filter((candidate) => timingSafeEqual(candidate.hash, hash));
    if (known === undefined) return "invalid_key";
    return { actor: `admin-key:${known.id}`, mayWrite: known.mayWrite };
  }

  return async (headers) => {
    const key = headers.get("x-api-key");
    if (key) return holderOf(key);
    const authorization = headers.get("authorization");
    if (!authorization) return "no_credentials";
    const principal = await sessions.authenticate(authorization);
    if (typeof principal === "string") return "bearer_rejected";
    if (!principal.groups.some((group) => groups.has(group))) return "bearer_rejected";
    return { actor: `oidc:${storable(principal.sub)}`, mayWrite: true };
  };
}

function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
