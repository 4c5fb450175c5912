// telemetry.verify_identity: what an export says of who sent it is made to agree with the bearer that it came with. Anybody can
// export anything with a bearer of their own, and a stock client passes some labels of its environment on; dashboards of who
// spent what had better not depend on either. This file decides; it neither logs nor counts, which is the relay's.
//
// An export that says nothing of its sender agrees: nothing is added to it.
import type { Principal } from "../../session.ts";
import type { Export } from "../relay/delivery.ts";
import { Unreadable } from "./bounds.ts";
import { decodedBody, encodedBody, formatOf } from "./encodings.ts";
import { correctedJson } from "./json-edit.ts";
import { requests } from "./otlp-fields.ts";
import { allowedBy } from "./own-attributes.ts";
import { correctedProtobuf } from "./protobuf-edit.ts";

/**
 * `agrees`: the export as it came. `corrected`: the same with the bearer's own identity, under the same headers. `unreadable`:
 * what a collector would read in it cannot be said for sure, so that it must not go on; `why` completes "an export …" and holds
 * nothing of its content.
 */
export type Checked =
  | { outcome: "agrees"; item: Export }
  | { outcome: "corrected"; item: Export }
  | { outcome: "unreadable"; why: string };

export type IdentityCheck = (item: Export, principal: Principal) => Checked;

const correctedIn = { protobuf: correctedProtobuf, json: correctedJson };

/** A check of exports against the principal of their bearer. It takes as much time as bounds.ts lets it, and waits for nothing. */
export function createIdentityCheck(): IdentityCheck {
  // Sessions give out one principal for one bearer, export after export.
  const known = new WeakMap<Principal, ReturnType<typeof allowedBy>>();

  function allowedFor(principal: Principal): ReturnType<typeof allowedBy> {
    const allowed = known.get(principal) ?? allowedBy(principal);
    known.set(principal, allowed);
    return allowed;
  }

  return (item, principal) => {
    try {
      const correctedBody = correctedIn[formatOf(item.contentType)];
      const decoded = decodedBody(item);
      const corrected = correctedBody(decoded, requests[item.signal], allowedFor(principal));
      if (corrected === undefined) return { outcome: "agrees", item };
      return { outcome: "corrected", item: { ...item, body: encodedBody(corrected, item) } };
    } catch (error) {
      if (error instanceof Unreadable) return { outcome: "unreadable", why: error.message };
      throw error;
    }
  };
}
