// What the configuration format has and this version of the gateway does not. Such a setting stops the start: a policy or a
// cap that is silently left out is worse than no gateway. A key leaves this table when its feature arrives.

/** Keys, by the place they stand at (`[]` for any entry of a list). */
const keys: Readonly<Record<string, readonly string[]>> = {
  "": ["cri", "load_test_mode"],
  oidc: ["client_assertion", "use_proxy"],
};

/** Values of settings that take one word of several. */
const words: Readonly<Record<string, readonly string[]>> = {
  "oidc.token_endpoint_auth_method": ["private_key_jwt"],
};

export const notSupported = "not supported by this version yet";

/** @param place as `formatPath` writes it, with or without list positions: `upstreams[0].auth`. */
export function unsupportedKeys(place: string): readonly string[] {
  return keys[place.replaceAll(/\[\d+\]/g, "[]")] ?? [];
}

/** The same for the words of a setting that takes one of several. */
export function unsupportedWords(place: string): readonly string[] {
  return words[place.replaceAll(/\[\d+\]/g, "[]")] ?? [];
}
