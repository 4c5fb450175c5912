// A collector as the relay sees one: an HTTP server on this machine that keeps what it is sent.
export type Received = { path: string; headers: Headers; body: Uint8Array };

export type Collector = {
  url: string;
  received: Received[];
  /** What it answers; 200 with an empty JSON object when not set. */
  answer: (received: Received) => Response | Promise<Response>;
  /** Waits, at most five seconds, until it has received this many. */
  until(count: number): Promise<Received[]>;
  stop(): Promise<void>;
};

export function startCollector(): Collector {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const one = { path: pathname, headers: request.headers, body: await request.bytes() };
      collector.received.push(one);
      return collector.answer(one);
    },
  });
  const collector: Collector = {
    url: `http://127.0.0.1:${server.port}`,
    received: [],
    answer: () => Response.json({}),
    async until(count) {
      const deadline = Date.now() + 5_000;
      while (collector.received.length < count) {
        if (Date.now() > deadline)
          throw new Error(`received ${collector.received.length} of ${count}`);
        await Bun.sleep(2);
      }
      return collector.received;
    },
    stop: () => server.stop(true),
  };
  return collector;
}
