// Random exports of the official types, and by a second, plain reading of the rules what they should be corrected to.
import * as fc from "fast-check";
import type { Signal } from "../../../src/config/telemetry-schema.ts";
import { ada, type Attribute } from "./exports.ts";
import {
  messageIn,
  type OfficialField,
  type OfficialType,
  officialRequest,
} from "./official-otlp.ts";

const own: Record<string, string[]> = {
  "user.id": [ada.sub],
  "user.email": [ada.email],
  "user.groups": ["eng,finops"],
  "enduser.id": [ada.email, ada.sub],
  "enduser.sub": [ada.sub],
};
const nobodys = [
  "user.name",
  "User.Email",
  "enduser.role",
  "user%2Eemail",
  "user_email",
  "EndUser-Id",
];
const free = ["team", "user_prompt", "session.id", "users.x", "identity.source", "Ünï%"];

/** Attributes that agree with what Ada's bearer says. */
export const agreeing: fc.Arbitrary<object> = fc.oneof(
  fc.constantFrom(...Object.entries(own)).chain(([key, values]) =>
    fc.record({
      key: fc.constant(key),
      value: fc.record({ stringValue: fc.constantFrom(...values) }),
    }),
  ),
  fc.record({ key: fc.constantFrom(...free), value: anyValue(2) }),
);

export const any: fc.Arbitrary<object> = fc.oneof(
  agreeing,
  fc.record({
    key: fc.constantFrom(...Object.keys(own), ...nobodys, ...free, "user", "enduser", ""),
    value: anyValue(2),
  }),
);

/** A request of this signal in which any field may be missing, with these attributes. */
export function requestWith(signal: Signal, attribute: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return message(officialRequest(signal));

  function message(type: OfficialType): fc.Arbitrary<object> {
    const model = Object.fromEntries(
      type.fieldsArray.map((field) => {
        const one = valueOf(field);
        return [field.name, field.repeated ? fc.array(one, { minLength: 1, maxLength: 3 }) : one];
      }),
    );
    return fc.record(model, { requiredKeys: [] });
  }

  function valueOf(field: OfficialField): fc.Arbitrary<unknown> {
    const held = messageIn(field);
    if (held === undefined) return scalarOf(field.type);
    if (held.name === "KeyValue") return attribute;
    return held.name === "AnyValue" ? anyValue(2) : message(held);
  }
}

function scalarOf(type: string): fc.Arbitrary<unknown> {
  switch (type) {
    case "string":
      return fc.string({ unit: "binary", maxLength: 20 }).filter((text) => text.isWellFormed());
    case "bytes":
      return fc.constant("q83vASNFZ4k=");
    case "bool":
      return fc.boolean();
    case "double":
      // JSON.stringify writes -0 as 0, which would be another export.
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0);
    case "fixed64":
    case "sfixed64":
    case "uint64":
    case "int64":
      return fc.constantFrom("0", "1795410051294000001", "9007199254740993");
    default:
      return fc.constantFrom(0, 1, 2);
  }
}

function anyValue(depth: number): fc.Arbitrary<object> {
  const scalars = [
    fc.record({ stringValue: fc.constantFrom("mallory", "ada", "", "é") }),
    fc.record({ intValue: fc.constantFrom("0", "12345678901234567") }),
    fc.record({ boolValue: fc.boolean() }),
    fc.constant({}),
  ];
  if (depth === 0) return fc.oneof(...scalars);
  const inner = anyValue(depth - 1);
  const keyValue = fc.record({ key: fc.constantFrom("user.email", "email", "x"), value: inner });
  return fc.oneof(
    ...scalars,
    fc.record({
      arrayValue: fc.record({ values: fc.array(inner, { minLength: 1, maxLength: 2 }) }),
    }),
    fc.record({
      kvlistValue: fc.record({ values: fc.array(keyValue, { minLength: 1, maxLength: 2 }) }),
    }),
  );
}

/** A plain object of an export as it should be once it is Ada's. */
export function expected(plain: unknown): unknown {
  if (Array.isArray(plain)) return plain.map(expected);
  if (typeof plain !== "object" || plain === null) return plain;
  return Object.fromEntries(
    Object.entries(plain).flatMap(([name, held]) => {
      if (!/^(attributes|metadata|filtered_?[aA]ttributes)$/.test(name))
        return [[name, expected(held)]];
      const kept = (held as Attribute[]).flatMap(expectedAttribute);
      return kept.length === 0 ? [] : [[name, kept]];
    }),
  );
}

function expectedAttribute(attribute: Attribute): Attribute[] {
  const { key, value } = attribute;
  if (key === "user" || key === "enduser" || key === "")
    return value && ("arrayValue" in value || "kvlistValue" in value) ? [] : [attribute];
  if (nobodys.includes(key)) return [];
  const values = own[key];
  if (values === undefined || values.includes(value?.["stringValue"] as string)) return [attribute];
  return [{ key, value: { stringValue: values[0] } }];
}

/** The same with every list of attributes that is empty left out. */
export function withoutEmptyLists(plain: unknown): unknown {
  if (Array.isArray(plain)) return plain.map(withoutEmptyLists);
  if (typeof plain !== "object" || plain === null) return plain;
  return Object.fromEntries(
    Object.entries(plain).flatMap(([name, held]) =>
      Array.isArray(held) && held.length === 0 ? [] : [[name, withoutEmptyLists(held)]],
    ),
  );
}
