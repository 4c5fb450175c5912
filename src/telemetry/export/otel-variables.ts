// OpenTelemetry's environment variables have no say here: gateway.yaml alone tells what goes where. The exporters read theirs
// whatever they are constructed with, and send the headers of `OTEL_EXPORTER_OTLP_HEADERS`, a credential for one collector, to
// every other as well.

/**
 * What `build` makes in an environment without a variable of OpenTelemetry's. They are back when it returns, as they are not
 * ours to take from the rest of the process; nothing else runs in between.
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
 */
export function withoutOtelVariables<T>(build: () => T, env = process.env): T {
  const hidden = Object.entries(env).filter(([name]) => /^OTEL_/i.test(name));
  for (const [name] of hidden) delete env[name];
  try {
    return build();
  } finally {
    Object.assign(env, Object.fromEntries(hidden));
  }
}
