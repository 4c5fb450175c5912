// `telemetry:` and `metrics:`: what they default to, what is refused, and what starts with a warning.
import { describe, expect, test } from "bun:test";
import { isLabelValue } from "../../src/config/telemetry-checks.ts";
import { describeRefused, type Edit, edited, load, type Refused, said } from "./samples.ts";

const allowLoopback = { env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" } };
const to =
  (...destinations: unknown[]): Edit =>
  (c) =>
    (c.telemetry = { forward_to: destinations });
const toUrl = (url: string): Edit => to({ url });
const labelled =
  (labels: Record<string, unknown>): Edit =>
  (c) =>
    (c.telemetry = { forward_to: [], resource_attributes: labels });

const urlAt = "telemetry.forward_to[0].url";
const notHttps = "forward_to.url must be https:// (http:// allowed for loopback only)";
const loopback =
  "forward_to.url is a loopback address, which the gateway blocks by default; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow a sidecar collector";
const metadata = "forward_to.url must not target a cloud metadata endpoint";
const collector = "https://otel.example/v1/otlp";

test("a destination takes clients' metrics and nothing else unless it says so", () => {
  expect(load(edited(toUrl(collector))).config.telemetry).toEqual({
    forward_to: [
      {
        url: collector,
        headers: {},
        metrics: true,
        logs: false,
        traces: false,
        requests: false,
        gateway_metrics: false,
      },
    ],
    resource_attributes: {},
    verify_identity: false,
  });
});

test("the gateway's own metrics are read nowhere unless a port is given, and then on this machine", () => {
  expect(load(edited(() => undefined)).config.metrics).toBeUndefined();
  const { config } = load(edited((c) => (c.metrics = { port: 9464 })));
  expect(config.metrics).toEqual({ host: "127.0.0.1", port: 9464 });
});

test("a destination may take nothing at all", () => {
  expect(load(edited(to({ url: collector, metrics: false }))).warnings).toEqual([]);
});

test("as many destinations as there is memory for are read", () => {
  const sixteen = Array.from({ length: 16 }, () => ({ url: collector }));
  expect(load(edited(to(...sixteen))).config.telemetry?.forward_to).toHaveLength(16);
});

test("every key is read", () => {
  const telemetry = {
    forward_to: [
      {
        url: collector,
        headers: { "api-key": "k" },
        metrics: false,
        logs: true,
        traces: true,
        requests: true,
        gateway_metrics: true,
      },
      {
        url: "https://telemetry.us-central1.rep.googleapis.com",
        headers: { "x-goog-user-project": "p" },
        metrics: true,
        logs: false,
        traces: false,
        requests: false,
        gateway_metrics: false,
        auth: { google: {} },
      },
    ],
    resource_attributes: { "team.name": "a/b:c@d" },
    verify_identity: true,
  };
  expect(load(edited((c) => (c.telemetry = telemetry))).config.telemetry).toEqual(telemetry);
});

test.each([{}, { forward_to: [] }])("%j configures nothing, and starts", (telemetry) => {
  expect(load(edited((c) => (c.telemetry = telemetry))).config.telemetry).toEqual({
    forward_to: [],
    resource_attributes: {},
    verify_identity: false,
  });
});

describe("on this machine a collector", () => {
  const urls = ["http://127.0.0.1:4318", "https://[::1]:4318", "http://localhost:4318"];
  test.each(urls)("%s is one when loopback is allowed", (url) => {
    expect(said(edited(toUrl(url)), allowLoopback)).toEqual([]);
  });
  test.each(urls)("%s is none otherwise", (url) => {
    expect(said(edited(toUrl(url)))).toEqual([`${urlAt} → ${loopback}`]);
  });
  test("does not open plain http to other machines, nor metadata endpoints", () => {
    expect(said(edited(toUrl("http://10.0.0.1")), allowLoopback)).toEqual([
      `${urlAt} → ${notHttps}`,
    ]);
    expect(said(edited(toUrl("https://169.254.169.254")), allowLoopback)).toEqual([
      `${urlAt} → ${metadata}`,
    ]);
  });
});

/** Hosts that are undefined are left out. */
const listeningOn =
  (host: string | undefined, port: number, metricsHost: string | undefined, metricsPort: number) =>
  (c: Parameters<Edit>[0]) => {
    c.listen = { ...c.listen, port, ...(host === undefined ? {} : { host }) };
    c.metrics = {
      port: metricsPort,
      ...(metricsHost === undefined ? {} : { host: metricsHost }),
    };
  };

test.each([
  ["another port", "10.0.0.5", 8080, "10.0.0.5", 9464],
  ["another address", "10.0.0.5", 8080, "127.0.0.1", 8080],
  ["any port that is free, twice", "0.0.0.0", 0, "0.0.0.0", 0],
] as const)(
  "the gateway's own metrics are read at %s",
  (_, host, port, metricsHost, metricsPort) => {
    expect(said(edited(listeningOn(host, port, metricsHost, metricsPort)))).toEqual([]);
  },
);

const reserved = (name: string) => [
  `telemetry.forward_to[0].headers.${name} → is reserved: it is the connection's or comes with the export; remove it from this destination's headers`,
];
const headerRefused = (headers: Record<string, string>): Edit => to({ url: collector, headers });
const labelAt = (name: string) =>
  `telemetry.resource_attributes${/^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`} → `;
const wrongName = (name: string) =>
  `label name '${name}' may use only letters, digits, ".", "_" and "-", 255 characters at most`;

describeRefused({
  "where telemetry goes": [
    ["plain http", toUrl("http://otel.example"), `${urlAt} → ${notHttps}`],
    ["plain HTTP in capitals", toUrl("HTTP://otel.example"), `${urlAt} → ${notHttps}`],
    ["a metadata name", toUrl("https://metadata.google.internal/x"), `${urlAt} → ${metadata}`],
    [
      "a metadata address over http",
      toUrl("http://169.254.169.254"),
      `${urlAt} → ${notHttps}`,
      `${urlAt} → ${metadata}`,
    ],
    [
      "a query that paths would be put behind",
      toUrl("https://otel.example?key=1"),
      `${urlAt} → must end with its path: the gateway appends /v1/metrics, /v1/logs and /v1/traces, which would become part of a query (?) or fragment (#)`,
    ],
    [
      "a password in the URL, unrepeated",
      toUrl("https://u:hunter2@otel.example"),
      `${urlAt} → must be an http(s) URL without credentials in it, got text of 30 characters`,
    ],
    [
      "no URL",
      to({ metrics: true }),
      `${urlAt} → telemetry.forward_to[0].url is required: an http(s) URL without credentials in it`,
    ],
    [
      "more destinations than there is memory for",
      to(...Array.from({ length: 17 }, () => ({ url: collector }))),
      "telemetry.forward_to → may name at most 16 collectors, as the gateway holds a queue for each: send to one that passes exports on",
    ],
    [
      "one destination outside a list",
      (c) => (c.telemetry = { forward_to: { url: collector } }),
      "telemetry.forward_to → must be a list (array), got a mapping",
    ],
  ],
  "keys of telemetry": [
    [
      "a word misspelt",
      to({ url: collector, metric: true }),
      'telemetry.forward_to[0].metric → unknown key; did you mean "metrics"?',
    ],
    ...["protocol", "timeout", "queue", "tls", "ca", "name", "groups", "drop", "sample"].map(
      (key): Refused => [
        key,
        to({ url: collector, [key]: {} }),
        `telemetry.forward_to[0].${key} → unknown key; known here: url, headers, metrics, logs, traces, requests, gateway_metrics, auth`,
      ],
    ),
    ...["requests", "metrics"].map((key): Refused => [
      `${key} of no destination`,
      (c) => (c.telemetry = { [key]: true }),
      `telemetry.${key} → unknown key; known here: forward_to, resource_attributes, verify_identity`,
    ]),
    ...["metrics", "logs", "traces", "requests", "gateway_metrics"].map((key): Refused => [
      `${key} that are not switched on or off`,
      to({ url: collector, [key]: "yes" }),
      `telemetry.forward_to[0].${key} → must be true or false, got "yes"`,
    ]),
    [
      "verify_identity that is not switched on or off",
      (c) => (c.telemetry = { verify_identity: 1 }),
      "telemetry.verify_identity → must be true or false, got 1",
    ],
  ],
  "where the gateway's own metrics are read": [
    [
      "a host alone",
      (c) => (c.metrics = { host: "127.0.0.1" }),
      "metrics.port → metrics.port is required: a whole number from 0 to 65535",
    ],
    [
      "no port of TCP's",
      (c) => (c.metrics = { port: 65_536 }),
      "metrics.port → must be a whole number from 0 to 65535, got 65536",
    ],
    [
      "no host",
      (c) => (c.metrics = { host: "", port: 1 }),
      "metrics.host → must be a host name or address, got an empty string",
    ],
    [
      "a path of one's own",
      (c) => (c.metrics = { port: 1, path: "/x" }),
      "metrics.path → unknown key; known here: host, port",
    ],
    ["a switch", (c) => (c.metrics = true), "metrics → must be a mapping with port, got a boolean"],
    ...(
      [
        [undefined, undefined],
        ["0.0.0.0", "10.0.0.5"],
        ["10.0.0.5", "::"],
        ["10.0.0.5", "10.0.0.5"],
        ["localhost", "127.0.0.1"],
        ["gw.example", "GW.example"],
      ] as const
    ).map(([host, metricsHost]): Refused => [
      `the port of ${host} on ${metricsHost}`,
      listeningOn(host, 8080, metricsHost, 8080),
      "metrics.port → is listen.port as well: /metrics has a listener of its own, because it asks nobody who they are. Give it another port",
    ]),
  ],
  "what is sent along": [
    ...["Content-Type", "content-encoding", "content-length", "Host", "transfer-encoding"].map(
      (name): Refused => [name, headerRefused({ [name]: "x" }), ...reserved(name)],
    ),
    [
      "a value that would be two headers",
      headerRefused({ "x-key": "a\r\nb: c" }),
      "telemetry.forward_to[0].headers.x-key → must be printable ASCII without blanks at the ends",
    ],
    [
      "a variable that is empty",
      headerRefused({ authorization: "" }),
      "telemetry.forward_to[0].headers.authorization → must not be empty; if it comes from a ${VAR}, set that variable",
    ],
    [
      "Google's token to another host",
      to({ url: "https://otel.example", auth: { google: {} } }),
      "telemetry.forward_to[0].auth.google → auth.google sends a Google access token, so url must be a googleapis.com host such as https://telemetry.googleapis.com",
    ],
    [
      "Google's token to a host that only ends like Google's",
      to({ url: "https://evilgoogleapis.com", auth: { google: {} } }),
      "telemetry.forward_to[0].auth.google → auth.google sends a Google access token, so url must be a googleapis.com host such as https://telemetry.googleapis.com",
    ],
    [
      "Google's token beside another",
      to({
        url: "https://telemetry.googleapis.com",
        headers: { Authorization: "Bearer x" },
        auth: { google: {} },
      }),
      "telemetry.forward_to[0].auth.google → auth.google sets the Authorization header on each export: remove Authorization from headers, or remove auth",
    ],
    [
      "a credential of nobody's",
      to({ url: collector, auth: {} }),
      "telemetry.forward_to[0].auth.google → telemetry.forward_to[0].auth.google is required: a mapping",
    ],
  ],
  labels: [
    ...["a b", "x/y", "", "ä"].map((name): Refused => [
      `the name ${JSON.stringify(name)}`,
      labelled({ [name]: "v" }),
      labelAt(name) + wrongName(name),
    ]),
    [
      "a name of 256 characters",
      labelled({ ["n".repeat(256)]: "v" }),
      labelAt("n".repeat(256)) + wrongName("n".repeat(256)),
    ],
    ...[
      "user.email",
      "User.X",
      "ENDUSER.id",
      "identity.y",
      "Service.Name",
      "service.version",
      "claude.deployment_mode",
      "host.arch",
      "os.type",
      "os.version",
      "wsl.version",
    ].map((name): Refused => [
      name,
      labelled({ [name]: "v" }),
      `${labelAt(name)}label '${name}' is reserved: the gateway or Claude sets it. Use another name`,
    ]),
    ...["", "a b", "a,b", "a;b", "a=b", "a\\b", 'a"b', "a%b", "é", "a\n"].map((value): Refused => [
      `the value ${JSON.stringify(value)}`,
      labelled({ team: value }),
      `${labelAt("team")}label 'team' needs a non-empty value of printable ASCII with no space and none of , ; = \\ " % (if it comes from a \${VAR}, check that variable's value)`,
    ]),
    ...["a".repeat(256), "/".repeat(86)].map((value): Refused => [
      `${value.length} times ${value[0]}`,
      labelled({ team: value }),
      `${labelAt("team")}label 'team' has too long a value: the limit is 255 characters, and characters such as / : @ count as three`,
    ]),
    [
      "a number",
      labelled({ cost_center: 12 }),
      `${labelAt("cost_center")}must be text, got 12; write it in quotes`,
    ],
  ],
});

test("labels may be as long as the limit and look like reserved ones", () => {
  const labels = {
    ["n".repeat(255)]: "a".repeat(255),
    slashes: "/".repeat(85),
    user: "x",
    "service.namespace": "x",
    "host.name": "x",
    "claude.x": "x",
    odd: "!'()*~-_.:@&+$?#[]{}|^<>`",
  };
  const read = load(edited(labelled(labels))).config.telemetry;
  expect(read?.resource_attributes).toEqual(labels);
});

test("a value that passes for a label's reads the same in a list of labels, encoded or not", () => {
  const characters = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code));
  const values = characters.map((character) => `a${character}b`).filter(isLabelValue);
  expect(values).toHaveLength(94 - ',;=\\"%'.length);
  for (const value of values) {
    const list = `a=${value},b=${encodeURIComponent(value)}`;
    const read = list.split(",").map((entry) => decodeURIComponent(entry.split("=")[1] ?? ""));
    expect(read).toEqual([value, value]);
  }
});

describe("a warning is worth", () => {
  const warned = (edit: Edit) => load(edited(edit)).warnings;
  const hidden: Edit = (c) => (c.listen = { host: "127.0.0.1" });

  test("destinations that no client can be told of", () => {
    const unnamed = [
      "telemetry.forward_to is configured but listen.public_url is not — clients will not be told to export OTLP. Set listen.public_url so that /managed/settings can push OTEL_EXPORTER_OTLP_ENDPOINT.",
    ];
    const both: Edit = (c) => {
      hidden(c);
      toUrl(collector)(c);
    };
    expect(warned(both)).toEqual(unnamed);
    expect(warned(toUrl(collector))).toEqual([]);
    expect(warned(hidden)).toEqual([]);
  });

  test("labels that are put on nothing", () => {
    expect(warned(labelled({ team: "x" }))).toEqual([
      "telemetry.resource_attributes is set but telemetry.forward_to is empty, so the labels are not applied",
    ]);
    expect(warned(labelled({}))).toEqual([]);
  });

  test("identities that are verified in nothing", () => {
    const unverified = [
      "telemetry.verify_identity is on, but no destination takes what clients export, so there is nothing to verify",
    ];
    const verifying =
      (destination: object): Edit =>
      (c) =>
        (c.telemetry = {
          forward_to: [{ url: collector, ...destination }],
          verify_identity: true,
        });
    expect(warned((c) => (c.telemetry = { verify_identity: true }))).toEqual(unverified);
    expect(warned(verifying({ metrics: false, requests: true }))).toEqual(unverified);
    expect(warned(verifying({}))).toEqual([]);
    expect(warned(verifying({ metrics: false, traces: true }))).toEqual([]);
  });

  test.each(["0.0.0.0", "::", "0", "*", "10.0.0.5", "metrics.example"])(
    "metrics that are read on %s",
    (host) => {
      expect(warned((c) => (c.metrics = { host, port: 9464 }))).toEqual([
        `metrics.host is ${host}: /metrics is served beyond this machine, and asks nobody who they are. Keep the port on a private network.`,
      ]);
    },
  );

  test("no metrics that are read on this machine only", () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      expect(warned((c) => (c.metrics = { host, port: 9464 }))).toEqual([]);
    }
  });
});
