import { describe, expect, test } from "bun:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { signals } from "../../../src/config/telemetry-schema.ts";
import { createIdentityCheck } from "../../../src/telemetry/identity/identity-check.ts";
import { ada, adasOwn, everywhere, exportOf, logsOf, nil, text } from "./exports.ts";
import { encoded } from "./official-otlp.ts";

const check = createIdentityCheck();
const right = logsOf(adasOwn, [], adasOwn);
const forged = logsOf([text("enduser.id", "mallory"), ...adasOwn], [], adasOwn);
const corrected = logsOf([text("enduser.id", ada.email), ...adasOwn], [], adasOwn);
const json = (plain: object) => new Uint8Array(Buffer.from(JSON.stringify(plain)));

describe.each([
  ["protobuf", "application/x-protobuf", (plain: object) => encoded("logs", plain)],
  ["JSON", "application/json; charset=utf-8", json],
])("an export in %s", (_, contentType, written) => {
  test("that agrees is the very same", () => {
    const item = exportOf(written(right), { contentType });
    const checked = check(item, ada);
    expect(checked.outcome).toBe("agrees");
    expect(checked.outcome === "agrees" && checked.item).toBe(item);
  });

  test("that agrees is the very same when it is compressed", () => {
    const item = exportOf(gzipSync(written(right)), { contentType, contentEncoding: "gzip" });
    const checked = check(item, ada);
    expect(checked.outcome === "agrees" && checked.item).toBe(item);
  });

  test("that says nothing of its sender agrees, and nothing is added", () => {
    expect(check(exportOf(written(logsOf([])), { contentType }), ada).outcome).toBe("agrees");
  });

  test("that names somebody else is corrected under the same headers, and left as it was for whoever holds it", () => {
    const item = exportOf(written(forged), { contentType });
    const copy = Uint8Array.from(item.body);
    expect(check(item, ada)).toEqual({
      outcome: "corrected",
      item: { ...item, body: expect.anything() },
    });
    expect(bodyOf(check(item, ada))).toEqual(Buffer.from(written(corrected)));
    expect(item.body).toEqual(copy);
  });

  test("that names somebody else is compressed again when it was", () => {
    const body = gzipSync(written(forged));
    const checked = check(exportOf(body, { contentType, contentEncoding: "gzip" }), ada);
    expect(gunzipSync(bodyOf(checked))).toEqual(Buffer.from(written(corrected)));
    expect(checked).toHaveProperty("item.contentEncoding", "gzip");
  });

  test("is its bearer's, and not that of whoever exported before", () => {
    const item = exportOf(written(right), { contentType });
    expect(check(item, ada).outcome).toBe("agrees");
    expect(check(item, nil).outcome).toBe("corrected");
    expect(check(item, ada).outcome).toBe("agrees");
  });
});

test.each(signals)("an export of %s is read as one of its signal", (signal) => {
  const plain = everywhere([text("user.id", "mallory")])[signal];
  for (const item of [
    exportOf(encoded(signal, plain), { signal }),
    exportOf(json(plain), { signal, contentType: "application/json" }),
  ]) {
    const checked = check(item, ada);
    expect(checked.outcome).toBe("corrected");
    expect(checked.outcome === "corrected" && check(checked.item, ada).outcome).toBe("agrees");
  }
});

describe("an export cannot be read, and why is told without its content,", () => {
  const body = encoded("logs", right);
  test.each([
    [
      "of another content type",
      exportOf(body, { contentType: "text/secret" }),
      "is of a content type that is not OTLP's",
    ],
    [
      "in another encoding",
      exportOf(body, { contentEncoding: "secret" }),
      "is in a content encoding that not everybody reads",
    ],
    ["of JSON in protobuf", exportOf(json(right)), "has a group"],
    ["of protobuf in JSON", exportOf(body, { contentType: "application/json" }), "is not UTF-8"],
    ["compressed without a word of it", exportOf(gzipSync(body)), "is not well-formed protobuf"],
    [
      "not compressed as it says",
      exportOf(body, { contentEncoding: "gzip" }),
      "is not gzip as it should be",
    ],
  ])("%s", (_, item, why) => {
    expect(check(item, ada)).toEqual({ outcome: "unreadable", why });
  });
});

function bodyOf(checked: ReturnType<typeof check>): Buffer {
  if (checked.outcome === "unreadable") throw new Error(checked.why);
  return Buffer.from(checked.item.body);
}
