// An OTLP receiver in a process of its own, with Node, as npm's `@elastic/mockotlpserver` needs it: under Bun it takes exports and
// shows none. It prints its address and then, each on a line of its own in JSON, every export that it has read with the official
// definitions of OTLP. What it complains of, or breaks at, is on stderr. It ends with its stdin.
import otlp from "@elastic/mockotlpserver";

const { MockOtlpServer, normalizeLogs, normalizeMetrics, normalizeTrace } = otlp;

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const server = new MockOtlpServer({
  log: { debug() {}, info() {}, warn: console.error, error: console.error },
  services: ["http"],
  httpHostname: "127.0.0.1",
  httpPort: 0,
  onLogs: (exported) => print(normalizeLogs(exported)),
  onMetrics: (exported) => print(normalizeMetrics(exported)),
  onTrace: (exported) => print(normalizeTrace(exported)),
});
await server.start();
print({ url: server.httpUrl.origin });

process.stdin.resume().on("end", () => process.exit(0));
