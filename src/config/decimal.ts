// The decimal that a number of a configuration is written as. Prices are counted with by its digits, and not in floating point.

/** A number from zero as `digits * 10^exponent`, as JavaScript writes it: `25` and `-2` of 0.25, `1` and `-7` of 1e-7. */
export function decimalOf(value: number): { digits: bigint; exponent: number } {
  const [mantissa = "", exponent = "0"] = String(value).split("e");
  const [whole = "", decimals = ""] = mantissa.split(".");
  return { digits: BigInt(whole + decimals), exponent: Number(exponent) - decimals.length };
}
