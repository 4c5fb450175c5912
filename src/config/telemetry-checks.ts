// What the shapes of `telemetry:` and `metrics:` cannot say: where telemetry may go, what may be sent with it, which labels may
// be put on it, and where the gateway's own metrics cannot be read. A rule passes over what does not have its shape.
import { addressSet, hostOf, isLocalUrl, isLoopbackHost, isMetadataUrl } from "./addresses.ts";
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";
import { headerFindings, headersOfCollectors } from "./static-headers.ts";

type Settings = Pick<Partly<Written>, "listen" | "metrics" | "telemetry">;
type Telemetry = NonNullable<Settings["telemetry"]>;
type Destination = NonNullable<NonNullable<Telemetry["forward_to"]>[number]>;

type Surroundings = { allowLoopback: boolean };

/** Paths of the findings are within the destination. */
const rulesOfOne: readonly ((
  destination: Destination,
  around: Surroundings,
) => readonly Finding[])[] = [
  ({ url }) =>
    when(
      url !== undefined && /^http:/i.test(url) && !isOnThisMachine(url),
      ["url"],
      "forward_to.url must be https:// (http:// allowed for loopback only)",
    ),
  ({ url }) =>
    when(
      url !== undefined && isMetadataUrl(url),
      ["url"],
      "forward_to.url must not target a cloud metadata endpoint",
    ),
  ({ url }, { allowLoopback }) =>
    when(
      url !== undefined && isOnThisMachine(url) && !allowLoopback,
      ["url"],
      "forward_to.url is a loopback address, which the gateway blocks by default; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow a sidecar collector",
    ),
  ({ url }) =>
    when(
      url !== undefined && /[?#]/.test(url),
      ["url"],
      "must end with its path: the gateway appends /v1/metrics, /v1/logs and /v1/traces, which would become part of a query (?) or fragment (#)",
    ),
  ({ headers }) => headerFindings(headers ?? {}, ["headers"], headersOfCollectors),

  // An access token of Google's opens whatever the gateway's identity may use there, not this collector alone.
  ({ url, auth }) =>
    when(
      url !== undefined && auth !== undefined && !isGoogleUrl(url),
      ["auth", "google"],
      "auth.google sends a Google access token, so url must be a googleapis.com host such as https://telemetry.googleapis.com",
    ),
  ({ headers, auth }) =>
    when(
      auth !== undefined && Object.keys(headers ?? {}).some(isAuthorization),
      ["auth", "google"],
      "auth.google sets the Authorization header on each export: remove Authorization from headers, or remove auth",
    ),
];

/** Every broken rule. */
export function checkTelemetry(
  { listen, metrics, telemetry }: Settings,
  around: Surroundings,
): Finding[] {
  const ofDestinations = (telemetry?.forward_to ?? []).flatMap((destination, index) =>
    destination === undefined
      ? []
      : rulesOfOne
          .flatMap((rule) => rule(destination, around))
          .map(({ path, message }) => ({
            path: ["telemetry", "forward_to", index, ...path],
            message,
          })),
  );
  const ofLabels = Object.entries(telemetry?.resource_attributes ?? {}).flatMap(
    ([label, value]): Finding[] => {
      const message = wrongLabel(label, value);
      if (message === undefined) return [];
      return [{ path: ["telemetry", "resource_attributes", label], message }];
    },
  );
  const ofMetrics = when(
    isSameListener(listen, metrics),
    ["metrics", "port"],
    "is listen.port as well: /metrics has a listener of its own, because it asks nobody who they are. Give it another port",
  );
  return [...ofDestinations, ...ofLabels, ...ofMetrics];
}

/** Whether a listener on this host takes connections to every address of the machine. */
const isEveryAddress = addressSet(["0.0.0.0", "::"]);

/**
 * Whether a text can be the value of a label wherever one is written: in the list of `OTEL_RESOURCE_ATTRIBUTES`, which has no
 * quotes (https://opentelemetry.io/docs/specs/otel/resource/sdk/), and in stores, which cut what is long.
 */
export function isLabelValue(value: string): boolean {
  return isPlainLabelValue(value) && isShortLabelValue(value);
}

function isPlainLabelValue(value: string): boolean {
  return /^[!-~]+$/.test(value) && !/[,;=\\"%]/.test(value);
}

/** Longest name of a label, and longest value, percent-encoded. */
const labelLengthMax = 255;

/** Whether stores keep the whole of it as the value of a label. Text that has no encoding, half of a surrogate pair, is none. */
export function isShortLabelValue(value: string): boolean {
  return value.isWellFormed() && encodeURIComponent(value).length <= labelLengthMax;
}

/** Set by clients themselves: who someone is and what they run on. A label must not say otherwise. */
const reservedLabels = new Set([
  "service.name",
  "service.version",
  "claude.deployment_mode",
  "host.arch",
  "os.type",
  "os.version",
  "wsl.version",
]);
const reservedFamilies = ["user.", "enduser.", "identity."];

function wrongLabel(label: string, value: string | undefined): string | undefined {
  if (!/^[A-Za-z0-9._-]+$/.test(label) || label.length > labelLengthMax) {
    return `label name '${label}' may use only letters, digits, ".", "_" and "-", ${labelLengthMax} characters at most`;
  }
  const name = label.toLowerCase();
  if (reservedLabels.has(name) || reservedFamilies.some((family) => name.startsWith(family))) {
    return `label '${label}' is reserved: the gateway or Claude sets it. Use another name`;
  }
  if (value === undefined || isLabelValue(value)) return undefined;
  return isPlainLabelValue(value)
    ? `label '${label}' has too long a value: the limit is ${labelLengthMax} characters, and characters such as / : @ count as three`
    : `label '${label}' needs a non-empty value of printable ASCII with no space and none of , ; = \\ " % (if it comes from a \${VAR}, check that variable's value)`;
}

type Listener = { host?: string | undefined; port?: number | undefined } | undefined;

/** Whether one of two listeners would find its port taken by the other. Port 0 is any that is free. */
function isSameListener(one: Listener, other: Listener): boolean {
  if (one?.port === undefined || one.port === 0 || one.port !== other?.port) return false;
  const hosts = [one.host, other.host].map((host = "") => host.toLowerCase());
  return (
    hosts[0] === hosts[1] ||
    hosts.some(isEveryAddress) ||
    (hosts.includes("localhost") && hosts.every(isLoopbackHost))
  );
}

function isOnThisMachine(url: string): boolean {
  return isLocalUrl(url) || isLoopbackHost(hostOf(url));
}

function isAuthorization(header: string): boolean {
  return header.toLowerCase() === "authorization";
}

function isGoogleUrl(url: string): boolean {
  return hostOf(url).endsWith(".googleapis.com");
}
