// Which answers of AWS's say that the keys are no longer good, so that the next request goes with others.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { sendSigned } from "../../src/upstream/aws/post.ts";
import { fetchHere } from "../support/egress.ts";
import { outboundCall, startCloudApi } from "../support/cloud-api.ts";
import { rejection } from "../support/idp.ts";

const api = startCloudApi();
afterAll(() => api.stop());
beforeEach(() => {
  api.seen.length = 0;
  api.answer = () => Response.json({});
});

const outbound = outboundCall({ model: "m" });
let refusals = 0;
const send = (sign?: () => Promise<never>) => {
  refusals = 0;
  const signed = async () => ({
    headers: new Headers({ "x-proof": "signed" }),
    refused: () => void (refusals += 1),
  });
  const request = { url: new URL("/a", api.url), headers: new Headers(), body: Buffer.from("{}") };
  return sendSigned(fetchHere, sign ?? signed, request, outbound, AbortSignal.timeout(5_000));
};

const coral = "http://internal.amazon.com/coral/com.amazon.coral.service/";

test.each([
  [200, undefined, 0],
  [401, undefined, 1],
  [403, `ExpiredTokenException:${coral}`, 1],
  [403, "UnrecognizedClientException", 1],
  [403, "InvalidClientTokenId", 1],
  [403, "AccessDeniedException", 0],
  [403, "NotExpiredTokenException", 0],
  [403, undefined, 0],
  [400, "ExpiredTokenException", 0],
  [429, "ThrottlingException", 0],
  [500, undefined, 0],
])("status %i with error type %s refuses the keys %i times", async (status, type, times) => {
  const body = '{"message":"The security token included in the request is expired"}';
  const headers: Record<string, string> = type === undefined ? {} : { "x-amzn-errortype": type };
  api.answer = () => new Response(body, { status, headers });
  const answer = await send();
  expect(refusals).toBe(times);
  expect([answer.status, await answer.text()]).toEqual([status, body]);
});

test("what was signed is what is sent", async () => {
  await send();
  expect(api.seen[0]).toMatchObject({ path: "POST /a", body: "{}" });
  expect(api.seen[0]?.headers.get("x-proof")).toBe("signed");
});

test("without a signature nothing is sent", async () => {
  const error = await rejection(send(() => Promise.reject(new Error("no keys"))));
  expect(error.message).toBe("no keys");
  expect(api.seen).toEqual([]);
});
