// Which names of cloud accounts and which credentials leave a text, and which numbers and words stay.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { redacted, withoutCredentials } from "../../src/upstream/answer/redaction.ts";

describe("what leaves a text", () => {
  test.each([
    ["arn:aws:iam::123456789012:role/x is not authorized", "… is not authorized"],
    ["User: arn:aws:sts::1:assumed-role/a,b=c/d@e.f: no", "User: … no"],
    ['"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/m".', '"…".'],
    ["arn:aws-cn:s3:::bucket and arn:aws:s3:::bucket", "… and …"],
    ["/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ax/invoke", "/model/…"],
    ["modelArn=ARN:AWS:iam::123456789012:x", "modelArn=…"],
    ["at iam::123456789012:root", "at iam::…:root"],
    ["account 123456789012 has no access", "account … has no access"],
    ['{"AccountId":"123456789012"}', '{"AccountId":"…"}'],
    ["account number is 1234-5678-9012.", "account number is …."],
    ["accounts 111111111111, 222222222222 and 333333333333", "accounts …, … and …"],
    ["123456789012 is not an account in this region", "… is not an account in this region"],
    ["projects/example-prod/locations/us-east5 denied", "… denied"],
    ["on 'projects/123456789012'", "on '…'"],
    ["projects%2Fexample-prod%2Flocations", "…"],
    ["organizations/123456", "…"],
    ["billingAccounts/012345-6789AB-CDEF01", "…"],
    ["/subscriptions/0f8fad5b-d9cb-469f-a165-70867728950e/resourceGroups/x", "/…"],
    ["Permission denied on project example-prod now", "Permission denied on project … now"],
    ["Project ID: prod7 (odd)", "Project ID: … (odd)"],
    ['project "prod" was not found', 'project "…" was not found'],
    ['{"project": "prod"}', '{"project": "…"}'],
    ['{\\"projectId\\":\\"prod\\"}', '{\\"projectId\\":\\"…\\"}'],
    [
      "API has not been used in project 123456789012 before",
      "API has not been used in project … before",
    ],
    ["Workspace wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ is archived", "Workspace … is archived"],
    ["as robot@example-prod.iam.gserviceaccount.com.", "as …."],
    ["as 123456789-compute@developer.gserviceaccount.com", "as …"],
  ])("%s", (text, left) => expect(redacted(text)).toBe(left));

  const separator = fc.constantFrom(" ", ": ", " '", '="', ": `", ' is "', "=", " (");
  const around = fc.string({ unit: "grapheme", maxLength: 30 });

  test("an account id, wherever the account is named before it", () =>
    fc.assert(
      fc.property(around, separator, around, (before, between, after) => {
        const text = `${before} account${between}918273645546 ${after}`;
        expect(redacted(text)).not.toContain("918273645546");
      }),
    ));

  test("every ARN, whatever stands around it", () =>
    fc.assert(
      fc.property(around, around, (before, after) =>
        expect(redacted(`${before}arn:aws:iam::918273645546:role/x ${after}`)).not.toMatch(
          /arn:aws|918273645546/,
        ),
      ),
    ));
});

describe("a credential that is named as one", () => {
  test.each([
    ["authorization: Bearer eyJ.a-b_c.d/e+f= was refused", "authorization: Bearer … was refused"],
    ["AWS4-HMAC-SHA256 Credential=AKIA1/20260101/x", "AWS4-HMAC-SHA256 Credential=…/20260101/x"],
    ["host:h\nx-amz-security-token:IQoJb3JpZ2lu/+=\n", "host:h\nx-amz-security-token:…\n"],
    [
      '{"message":"x-amz-security-token:IQoJb3Jp\\nhost:h"}',
      '{"message":"x-amz-security-token:…\\nhost:h"}',
    ],
    ['{"x-api-key": "sk-ant-abc123"}', '{"x-api-key": "…"}'],
    ['{\\"api-key\\":\\"0123456789\\"}', '{\\"api-key\\":\\"…\\"}'],
    ["grant_type=x&client_assertion=eyJh.a.b9&scope=s", "grant_type=x&client_assertion=…&scope=s"],
    ["client_secret='abc~def.ghi'", "client_secret='…'"],
    ["X-IDENTITY-HEADER: 0123456789", "X-IDENTITY-HEADER: …"],
  ])("%s", (text, left) => {
    expect(withoutCredentials(text)).toBe(left);
    expect(redacted(text)).toBe(left);
  });

  test.each([
    "The security token included in the request is invalid.",
    "Unexpected token '<'",
    "max_tokens: 8192000000 > 64000, budget_tokens: 12345678",
    "AADSTS7000215: Invalid client secret provided.",
    "arn:aws:iam::123456789012:role/x is not authorized",
  ])("and nothing else: %s", (text) => expect(withoutCredentials(text)).toBe(text));
});

describe("what stays", () => {
  test.each([
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "max_tokens: 123456789012 > 64000",
    "a number of 1234567890123 digits on your account",
    "messages.1.content.0.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes",
    "claude-sonnet-4-5-20250929 is not there; see https://docs.claude.com/en/api/errors",
    "request id req_011CSHoEeqs5C35K2UUqR7Fy",
    "learn: arnold, warn:awful",
    "your project has 5 of 7 things; the project's quota is per project: 210000 tokens",
    "a project-wide limit, in projects and subscriptions",
  ])("%s", (text) => expect(redacted(text)).toBe(text));
});

describe("a long text", () => {
  // A mebibyte: a pattern that is quadratic in it takes minutes.
  test.each([
    "arn:aws",
    "arn:aw",
    "projects/",
    "account ",
    "account 1234-5678-901",
    "123456789012 ",
    "123456789012",
    "a",
    "1",
    "a@",
    "a@gserviceaccount.co ",
    "project ",
    'project:"',
    "project a.",
    ":",
    " ",
    "token:",
    "Bearer ",
    "password=\\\\\\",
  ])("of %j takes no longer for it", (start) => {
    const text = start.repeat(Math.ceil((1024 * 1024) / start.length));
    const begun = performance.now();
    redacted(text);
    redacted(`project ${text}`);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
