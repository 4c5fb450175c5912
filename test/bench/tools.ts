// The two programs the benchmark needs beside Bun: nginx, as the plain reverse proxy that everything is compared with,
// and wrk, as the load.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, run, type Server, startServer } from "./processes.ts";

export type Tools = { readonly nginx: string; readonly wrk: string };

/** Finds both programs; otherwise the text that says what to install. */
export function findTools(): Tools | { missing: string } {
  const nginx = Bun.which("nginx") ?? Bun.which("nginx", { PATH: "/usr/sbin:/usr/local/sbin" });
  const wrk = Bun.which("wrk");
  if (nginx !== null && wrk !== null) return { nginx, wrk };
  const missing = [
    nginx === null && "nginx (Debian: nginx-light)",
    wrk === null && "wrk (Debian: wrk)",
  ];
  return {
    missing: `not found: ${missing.filter(Boolean).join(", ")}. On Debian or Ubuntu: sudo apt-get install nginx-light wrk`,
  };
}

/** `name version` of each, for the report. */
export async function toolVersions(tools: Tools): Promise<string[]> {
  const nginx = await run([tools.nginx, "-v"], { deadlineMs: 5_000 });
  // wrk ends with 1 after its version, so the version is read whatever the exit code.
  const wrk = Bun.spawnSync([tools.wrk, "-v"], { timeout: 5_000 }).stdout.toString();
  return [
    /nginx\/\S+/.exec(nginx.stderr)?.[0] ?? "nginx",
    `wrk ${/(\d+\.\d+\.\d+)/.exec(wrk)?.[1] ?? "?"}`,
  ];
}

/**
 * How to start nginx in front of the upstream: one worker, nothing logged, nothing buffered on the way back, and
 * `multi_accept`, without which it takes one new connection per turn and a burst of streams waits for the running ones.
 */
export function nginxStarter(
  tools: Tools,
  directory: string,
  upstreamPort: number,
): () => Promise<Server> {
  const port = freePort();
  const configPath = join(directory, "nginx.conf");
  writeFileSync(configPath, nginxConfig({ directory, port, upstreamPort }));
  const stderrPath = join(directory, "nginx.stderr");
  return () =>
    startServer(
      "nginx",
      { argv: [tools.nginx, "-p", directory, "-c", configPath, "-e", "stderr"], stderrPath },
      port,
    );
}

export type WrkResult = {
  readonly requests: number;
  readonly seconds: number;
  /** Connections and answers that failed, non-2xx among them. */
  readonly failed: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
};

/** Sends one body again and again over `connections` kept-alive connections for `seconds` whole seconds. */
export async function runWrk(
  tools: Tools,
  load: {
    port: number;
    connections: number;
    seconds: number;
    bodyPath: string;
    scriptPath: string;
    headers: Record<string, string>;
  },
): Promise<WrkResult> {
  writeFileSync(load.scriptPath, wrkScript(load.bodyPath, load.headers));
  const url = `http://127.0.0.1:${load.port}/v1/messages?beta=true`;
  const { stderr } = await run(
    [
      tools.wrk,
      "-t1",
      `-c${load.connections}`,
      `-d${load.seconds}s`,
      "--timeout",
      "10s",
      "-s",
      load.scriptPath,
      url,
    ],
    { deadlineMs: load.seconds * 1000 + 20_000 },
  );
  const result: WrkResult = JSON.parse(stderr);
  return result;
}

/** A JSON string of plain characters is a Lua string too, which is how headers and paths get into the script. */
function wrkScript(bodyPath: string, headers: Record<string, string>): string {
  const headerLines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return `
local file = assert(io.open(${JSON.stringify(bodyPath)}, "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
${headerLines.join("\n")}

function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"seconds":%f,"failed":%d,"latencyMs":{"p50":%f,"p99":%f}}',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`;
}

function nginxConfig(options: { directory: string; port: number; upstreamPort: number }): string {
  // A root master would start its worker as another account, which may not write into the temporary directory.
  const account = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(options.directory, `nginx-${name}`)};`,
  );
  return `
${account}
worker_processes 1;
daemon off;
pid ${join(options.directory, "nginx.pid")};
error_log stderr warn;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  ${temporary.join("\n  ")}
  client_max_body_size 40m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  upstream model_api {
    server 127.0.0.1:${options.upstreamPort};
    keepalive 2048;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location / {
      proxy_pass http://model_api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 60s;
    }
  }
}
`;
}
