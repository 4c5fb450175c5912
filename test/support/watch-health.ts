// A process that asks one URL again and again: what the test does meanwhile does not bear on how long it takes. Each message to it
// is answered with the longest time since the one before, in milliseconds.
import { argv } from "node:process";

const [url = ""] = argv.slice(2);
let worst = 0;

process.on("message", () => {
  process.send?.(worst);
  worst = 0;
});
void watch();

async function watch(): Promise<void> {
  for (;;) {
    const askedAt = performance.now();
    await (await fetch(url)).text();
    worst = Math.max(worst, performance.now() - askedAt);
    await Bun.sleep(1);
  }
}
