// The domain of an e-mail address and how two of them are compared: the same for who may sign in and for which policy fits.

/** What stands behind the last `@`, in lower case: a local part may hold anything, also another `@`. */
export function domainOfAddress(email: string): string | undefined {
  const at = email.lastIndexOf("@");
  return at < 0 ? undefined : lowerCased(email.slice(at + 1));
}

/**
 * One `local@domain` without blanks, quotes, comments, lists, a second @ or a dot too many in the domain. What mail software
 * might read in two ways is none, and its domain decides nothing.
 */
export function isPlainAddress(email: string): boolean {
  // With one @ in it the other expression has nothing to go back to, however long the text is.
  const isTwoParts = /^[^\s@"(),:;<>[\\\]]+@[^\s@"(),:;<>[\\\]]+$/u.test(email);
  return isTwoParts && !/@(\.|.*\.\.)|\.$/u.test(email);
}

/** In lower case, but for letters that would turn into plain ones: the Kelvin sign is no k, and its domain another one. */
export function lowerCased(domain: string): string {
  return domain.replaceAll(/\p{Lu}/gu, (letter) => {
    const lower = letter.toLowerCase();
    return letter > "\x7f" && lower < "\x80" ? letter : lower;
  });
}
