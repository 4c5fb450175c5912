// A gateway in which no session has ended before its time.
import type { Endings } from "../../src/endings/endings.ts";

export const nothingEnded: Pick<Endings, "hasEnded"> = { hasEnded: () => false };
