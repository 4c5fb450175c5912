// Exact amounts of money. Everything that is counted, compared or added up is a whole number of a unit so fine that every
// price times every token count is one; floating point never holds money. In the database an amount is a `numeric` of cents,
// on its way there and back decimal text.

/** An amount: a whole number of 10^-24 US cents. May be negative only in rows that somebody else wrote. */
export type Money = bigint;

/** Decimals of a cent that an amount has. */
export const centDecimals = 24;

/** One US cent. */
export const cent: Money = 10n ** BigInt(centDecimals);

/**
 * An amount from cents as PostgreSQL writes a `numeric`: `"0.0300"`, `"-1"`. Decimals beyond the 24th are cut off.
 * @throws Error for any other text
 */
export function moneyOf(cents: string): Money {
  const [, sign, whole = "", decimals = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(cents) ?? [];
  if (whole === "") throw new Error(`not an amount of cents: ${cents.slice(0, 50)}`);
  const units = BigInt(whole + decimals.slice(0, centDecimals).padEnd(centDecimals, "0"));
  return sign === "-" ? -units : units;
}

/**
 * The same of a row that somebody else may have written: what is no amount (`NaN`) is 0, for one such row must not fail what is
 * done for everybody.
 * @param tellWhy hears of text that is no amount
 */
export function moneyOrZero(cents: string, tellWhy?: (why: unknown) => void): Money {
  try {
    return moneyOf(cents);
  } catch (error) {
    tellWhy?.(error);
    return 0n;
  }
}

/** Decimals of a cent that a number shows, and the unit that is one of the last of them. */
const shownDecimals = 12;
const shownUnit: Money = 10n ** BigInt(centDecimals - shownDecimals);

/** The amount as a number of cents, to twelve decimals: to be read and drawn, never to be added to an amount. */
export function centsNumber(money: Money): number {
  return Number(money / shownUnit) / 10 ** shownDecimals;
}

/** The amount as cents in decimals, as few of them as hold it: `"0"`, `"100.03"`. */
export function centsText(money: Money): string {
  const digits = (money < 0n ? -money : money).toString().padStart(centDecimals + 1, "0");
  const whole = digits.slice(0, -centDecimals);
  const decimals = digits.slice(-centDecimals).replace(/0+$/, "");
  return `${money < 0n ? "-" : ""}${whole}${decimals === "" ? "" : `.${decimals}`}`;
}
