// What follows from a schema alone is worked out once for it, however many mappings of a file have its shape: a small file can
// hold tens of thousands.

/** The function with a memory: the same object is answered with the same result. */
export function derivedOnce<Schema extends object, Derived>(
  derive: (schema: Schema) => Derived,
): (schema: Schema) => Derived {
  const known = new WeakMap<Schema, { derived: Derived }>();
  return (schema) => {
    const entry = known.get(schema) ?? { derived: derive(schema) };
    known.set(schema, entry);
    return entry.derived;
  };
}
