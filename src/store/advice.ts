// What the operator can do where a statement fails for a reason that waiting alone does not mend.

/** By SQLSTATE (PostgreSQL manual, appendix A). */
const advice: Readonly<Record<string, string>> = {
  "25006":
    "The database only takes reads: store.postgres_url must lead to the server that takes writes",
  "53100": "The database server's disk is full",
};

/** A sentence without its full stop; undefined where there is nothing to say. */
export function adviceOn(error: unknown): string | undefined {
  return advice[codeOf(error)];
}

/** The SQLSTATE, or the code of the connection's failure; empty for errors that have none. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "";
}
