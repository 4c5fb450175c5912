// `telemetry:`: what it defaults to, what is refused, and what starts with a warning.
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

test("a destination takes metrics and nothing else unless it says so", () => {
  expect(load(edited(toUrl(collector))).config.telemetry).toEqual({
    forward_to: [{ url: collector, headers: {}, metrics: true, logs: false, traces: false }],
    resource_attributes: {},
  });
});

test("as many destinations as there is memory for are read", () => {
  const sixteen = Array.from({ length: 16 }, () => ({ url: collector }));
  expect(load(edited(to(...sixteen))).config.telemetry?.forward_to).toHaveLength(16);
});

test("every key is read", () => {
  const telemetry = {
    forward_to: [
      { url: collector, headers: { "api-key": "k" }, metrics: false, logs: true, traces: true },
      {
        url: "https://telemetry.us-central1.rep.googleapis.com",
        headers: { "x-goog-user-project": "p" },
        metrics: true,
        logs: false,
        traces: false,
        auth: { google: {} },
      },
    ],
    resource_attributes: { "team.name": "a/b:c@d" },
  };
  expect(load(edited((c) => (c.telemetry = telemetry))).config.telemetry).toEqual(telemetry);
});

test.each([{}, { forward_to: [] }])("%j configures nothing, and starts", (telemetry) => {
  expect(load(edited((c) => (c.telemetry = telemetry))).config.telemetry).toEqual({
    forward_to: [],
    resource_attributes: {},
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
        `telemetry.forward_to[0].${key} → unknown key; known here: url, headers, metrics, logs, traces, auth`,
      ],
    ),
    ...["verify_identity", "metrics"].map((key): Refused => [
      key,
      (c) => (c.telemetry = { [key]: true }),
      `telemetry.${key} → unknown key; known here: forward_to, resource_attributes`,
    ]),
    [
      "a signal that is not switched on or off",
      to({ url: collector, logs: "yes" }),
      'telemetry.forward_to[0].logs → must be true or false, got "yes"',
    ],
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
});
