// What the tests of meters expect, put together.
import { type Metered, noUsage, type Usage } from "../../src/spend/usage.ts";

/** What an answer that said so used, and nothing beside it. */
export const toldOf = (usage: Partial<Usage>): Metered => ({
  usage: { ...noUsage, ...usage },
  others: [],
  isEstimate: false,
  isUnreadable: false,
});

/** The same of one that left something to be estimated. */
export const estimateOf = (usage: Partial<Usage>): Metered => ({
  ...toldOf(usage),
  isEstimate: true,
});
