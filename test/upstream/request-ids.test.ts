// What an answer's headers say of the request, and what of that is fit for the audit trail.
import { expect, test } from "bun:test";
import { requestIdsOf } from "../../src/upstream/answer/request-ids.ts";

const idsOf = (headers: Record<string, string>) => {
  const { requestId, cloudRequestId } = requestIdsOf(new Headers(headers));
  return [requestId, cloudRequestId];
};

test.each([
  ["the provider's own", { "request-id": "req_1" }, ["req_1", null]],
  ["Azure's beside it", { "request-id": "req_1", "apim-request-id": "a-1" }, ["req_1", "a-1"]],
  ["AWS's for both", { "x-amzn-requestid": "amz-1" }, ["amz-1", "amz-1"]],
  [
    "AWS's where one is empty",
    { "request-id": "", "x-amzn-requestid": "amz-1" },
    ["amz-1", "amz-1"],
  ],
  ["the longest", { "request-id": "x".repeat(64) }, ["x".repeat(64), null]],
  [
    "no other header's",
    { "x-request-id": "x", "cf-ray": "y", "x-ms-request-id": "z" },
    [null, null],
  ],
])("an id is %s", (_, headers, expected) => expect(idsOf(headers)).toEqual(expected));

test.each(["req 1", 'req"1', "réq", "x".repeat(65), "a, b"])("%j is no id", (value) =>
  expect(idsOf({ "request-id": value, "x-amzn-requestid": "amz-1" })).toEqual([null, "amz-1"]),
);
