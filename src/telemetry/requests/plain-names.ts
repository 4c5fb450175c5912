// What a client has named in a request, as far as it is a name: telemetry is read by many, and a header or a field of the body may
// hold anything, a sentence of a prompt or somebody's e-mail address.

/** An id, such as that of a session; undefined when there is none, or what is there could be something else. */
export function plainId(named: string | undefined): string | undefined {
  return named !== undefined && /^[\w.:-]{1,128}$/.test(named) ? named : undefined;
}

/** A model, in all spellings that there are: with a date after `@`, as an ARN, with `[1m]`. Undefined as above. */
export function plainModel(named: string | null): string | undefined {
  return named !== null && /^[\w.:@/+[\]-]{1,256}$/.test(named) ? named : undefined;
}
