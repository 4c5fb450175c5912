// Values of YAML and JSON documents whose shape is not known.

/** A document that is handed out as it is written, key by key. */
export type SettingsDocument = Readonly<Record<string, unknown>>;

/** A mapping of keys to values: not a list, not nothing. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A mapping's own member; undefined where there is none, or no mapping. */
export function memberOf(value: unknown, key: string): unknown {
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
