// What the configuration format has and this version of the gateway does not. Such a setting stops the start: a policy or a
// cap that is silently left out is worse than no gateway. A key leaves this table when its feature arrives.

/** Keys, by the place they stand at (`[]` for any entry of a list). */
const keys: Readonly<Record<string, readonly string[]>> = {
  "": ["cri", "load_test_mode"],
};

export const notSupported = "not supported by this version yet";

/** @param place as `formatPath` writes it, with or without list positions: `upstreams[0].auth`. */
export function unsupportedKeys(place: string): readonly string[] {
  return keys[place.replaceAll(/\[\d+\]/g, "[]")] ?? [];
}
