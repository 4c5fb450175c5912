// The metrics as Prometheus reads them: the text exposition format, version 0.0.4. Who asks for it is listener.ts's.
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MetricReader } from "@opentelemetry/sdk-metrics";
import type { Timer } from "../../timer.ts";
import { repeat } from "./repeat.ts";

export type TextReader = {
  /** For the MeterProvider, which must have it before the text is asked for. */
  readonly reader: MetricReader;
  /** All metrics as they are now. Those who ask while they are being collected get the same. */
  readonly text: () => Promise<string>;
  /** Reads them a last time: that is what whoever asks from then on gets, until there is no listener any more. */
  readonly close: () => Promise<void>;
};

/**
 * The SDK keeps what each reader has not read: when others read and nobody scrapes, that grows without end. So the metrics are
 * read this often in any case.
 */
const keepUpMs = 60_000;

/**
 * A text that took longer than this, in milliseconds, is that of very many series. It is kept for ten times as long as it took,
 * so that asking again and again takes a tenth of the process's time at most.
 */
const quickMs = 20;
const keptTimes = 10;

/** @param options.now milliseconds with fractions, of a clock that is never set: `performance.now` */
export function createTextReader({ after, now }: { after: Timer; now: () => number }): TextReader {
  const reader = new PulledReader();
  // Without the labels of scope and resource, which are the same on every line: Prometheus has its own for the target.
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  let collecting: Promise<string> | undefined;
  let keptUntilMs = -Infinity;
  let last: Promise<string> | undefined;

  async function collect(): Promise<string> {
    const { resourceMetrics } = await reader.collect();
    // What the serializer says of units belongs to OpenMetrics; this format knows no such line.
    return serializer.serialize(resourceMetrics).replaceAll(/^# UNIT .*\n/gm, "");
  }

  function text(): Promise<string> {
    if (last !== undefined) return last;
    if (collecting !== undefined && now() < keptUntilMs) return collecting;
    keptUntilMs = Infinity;
    const beganMs = now();
    collecting = collect().finally(() => {
      const tookMs = now() - beganMs;
      keptUntilMs = tookMs > quickMs ? now() + keptTimes * tookMs : -Infinity;
    });
    return collecting;
  }

  const endTimer = repeat(keepUpMs, () => void text().catch(() => undefined), after);
  return {
    reader,
    text,
    async close() {
      endTimer();
      last = collect();
      await last.catch(() => undefined);
    },
  };
}

/** A reader that reads when it is asked to. */
class PulledReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
