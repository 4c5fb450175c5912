// A collector of telemetry for the benchmark, a process of its own that prints its port: takes whatever is exported to it, and
// throws it away.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    await request.bytes();
    return Response.json({});
  },
});
process.stdout.write(`${server.port}\n`);
// Whoever started us holds the other end.
process.stdin.on("end", () => process.exit(0)).resume();
