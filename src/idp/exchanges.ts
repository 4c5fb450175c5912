// What a slow or silent IdP may cost us: how long one sign-in or renewal takes in all, whatever it is made of, and how many of
// them wait at once. One that does not fit is refused at once, since those before it wait already and would not be faster.
import type { Timer } from "../timer.ts";
import { IdpError } from "./identity.ts";

/** Runs one exchange. The signal fires when its time is up; the exchange then ends by itself. */
export type Exchanges = <T>(exchange: (signal: AbortSignal) => Promise<T>) => Promise<T>;

export type ExchangeBounds = {
  /** From the first question to the last answer, in milliseconds. */
  timeoutMs: number;
  atOnceMax: number;
};

/** Throws IdpError of kind `unavailable` for an exchange beyond the bounds. */
export function createExchanges(bounds: ExchangeBounds, after: Timer): Exchanges {
  const { timeoutMs, atOnceMax } = bounds;
  let underWay = 0;
  return async (exchange) => {
    if (underWay >= atOnceMax) {
      const message = `${atOnceMax} others wait for the IdP already`;
      throw new IdpError(message, { step: "token_endpoint", kind: "unavailable" });
    }
    const controller = new AbortController();
    const late = () => controller.abort(new Error(`the IdP took longer than ${timeoutMs} ms`));
    const cancel = after(timeoutMs, late);
    underWay++;
    try {
      return await exchange(controller.signal);
    } finally {
      cancel();
      underWay--;
    }
  };
}
