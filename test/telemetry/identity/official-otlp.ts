// The official definitions of OTLP, as a package for tests brings them along, read by the protobuf library that it uses itself.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Signal } from "../../../src/config/telemetry-schema.ts";

/** What is used here of protobufjs, which we do not depend on ourselves. */
export type OfficialField = {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  resolve(): { readonly resolvedType: object | null };
};
export type OfficialType = {
  readonly name: string;
  readonly fieldsArray: readonly OfficialField[];
  /** Ranges of numbers, and names. */
  readonly reserved?: readonly (readonly [from: number, to: number] | string)[];
  fromObject(plain: object): object;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): Record<string, unknown>;
};
type Root = {
  resolvePath: (origin: string, target: string) => string;
  loadSync(files: string[]): void;
  lookupType(name: string): OfficialType;
};

const home = dirname(
  createRequire(import.meta.path).resolve("@elastic/mockotlpserver/package.json"),
);
const { Root } = createRequire(join(home, "package.json"))("protobufjs") as {
  Root: new () => Root;
};

const requestNames: Record<Signal, [service: string, name: string]> = {
  logs: ["logs", "ExportLogsServiceRequest"],
  metrics: ["metrics", "ExportMetricsServiceRequest"],
  traces: ["trace", "ExportTraceServiceRequest"],
};

const root = new Root();
root.resolvePath = (_origin, target) => join(home, target);
root.loadSync(
  Object.values(requestNames).map(
    ([service]) => `opentelemetry/proto/collector/${service}/v1/${service}_service.proto`,
  ),
);

/** The request that exports of a signal are. */
export function officialRequest(signal: Signal): OfficialType {
  const [service, name] = requestNames[signal];
  return root.lookupType(`opentelemetry.proto.collector.${service}.v1.${name}`);
}

/** The type of message that a field holds; undefined when it holds a scalar or an enum. */
export function messageIn(field: OfficialField): OfficialType | undefined {
  const { resolvedType } = field.resolve();
  return resolvedType !== null && "fieldsArray" in resolvedType
    ? (resolvedType as OfficialType)
    : undefined;
}

/** A message from its plain object, in bytes. */
export function encoded(signal: Signal, plain: object): Uint8Array {
  const type = officialRequest(signal);
  // Copied, as the library hands out stretches of a buffer of its own.
  return Uint8Array.from(type.encode(type.fromObject(plain)).finish());
}

/** A message in bytes as a plain object: 64-bit numbers as texts, bytes in base64, what is not there left out. */
export function decoded(signal: Signal, bytes: Uint8Array): Record<string, unknown> {
  const type = officialRequest(signal);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}
