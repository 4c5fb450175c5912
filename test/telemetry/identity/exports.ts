// Whose exports the tests of the identity check are about, and how to make them.
import type { Signal } from "../../../src/config/telemetry-schema.ts";
import type { Export } from "../../../src/telemetry/relay/delivery.ts";

export const ada = {
  sub: "ada",
  email: "ada@example.com",
  name: "Ada Lovelace",
  groups: ["eng", "finops"],
};

/** A person of whom a bearer says nothing else. */
export const nil = { sub: "nil", email: undefined, name: undefined, groups: [] };

export const adasOwn = [
  text("user.id", "ada"),
  text("user.email", "ada@example.com"),
  text("user.groups", "eng,finops"),
];

export type Attribute = { key: string; value: Record<string, unknown> };

export function text(key: string, stringValue: string): Attribute {
  return { key, value: { stringValue } };
}

/** One log record, and the attributes of its resource, its scope and itself. */
export function logsOf(
  resource: readonly object[],
  scope: readonly object[] = [],
  record: readonly object[] = [],
): object {
  return {
    resourceLogs: [
      {
        resource: { attributes: resource },
        scopeLogs: [
          {
            scope: { name: "com.example", attributes: scope },
            logRecords: [
              {
                timeUnixNano: "1795410051294000001",
                body: text("", "hi").value,
                attributes: record,
              },
            ],
          },
        ],
      },
    ],
  };
}

export function exportOf(body: Uint8Array, rest: Partial<Export> = {}): Export {
  return {
    signal: "logs",
    body,
    contentType: "application/x-protobuf",
    contentEncoding: undefined,
    ...rest,
  };
}

/** One of every place where an export has attributes, each place with this list. */
export function everywhere(attributes: readonly object[]): Record<Signal, object> {
  const exemplars = [{ filteredAttributes: attributes, asDouble: 1.5 }];
  const points = { dataPoints: [{ attributes, exemplars, timeUnixNano: "18446744073709551615" }] };
  const wrapped = (resources: string, scopes: string, items: string, list: object[]) => ({
    [resources]: [
      { resource: { attributes }, [scopes]: [{ scope: { attributes }, [items]: list }] },
    ],
  });
  return {
    logs: wrapped("resourceLogs", "scopeLogs", "logRecords", [{ attributes }]),
    metrics: wrapped("resourceMetrics", "scopeMetrics", "metrics", [
      { name: "a", gauge: points, metadata: attributes },
      { name: "b", sum: points },
      { name: "c", histogram: points },
      { name: "d", exponentialHistogram: points },
      { name: "e", summary: { dataPoints: [{ attributes }] } },
    ]),
    traces: wrapped("resourceSpans", "scopeSpans", "spans", [
      { attributes, events: [{ attributes }], links: [{ attributes }] },
    ]),
  };
}
