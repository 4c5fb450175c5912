// AWS's Security Token Service in what the gateway asks of it: AssumeRole and AssumeRoleWithWebIdentity, the query protocol in a
// form, XML back. Signatures and parameters are checked as the real one does.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
import type { AwsKeys } from "../../src/upstream/aws/credentials.ts";
import { accessKeyIdOf, verifySigV4 } from "./sigv4.ts";

/** Who may assume the role here, and what AWS calls that identity. */
export const sourceKeys: AwsKeys = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
export const roleArn = "arn:aws:iam::123456789012:role/developers/claude";
export const webIdentity = "eyJ.service.account";
export const stsRegion = "eu-central-1";

/** Form fields of one request. */
export type Asked = Record<string, string>;

export type Sts = {
  url: string;
  asked: Asked[];
  lifeSeconds: number;
  /** What the role's trust policy wants. */
  externalId: string | undefined;
  /** Answers in place of STS where it is set. */
  instead: (() => Response) | undefined;
  /** The error that STS answers with. */
  error: (status: number, code: string, message: string) => Response;
  stop(): Promise<void>;
};

export function startSts(): Sts {
  const web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.bytes();
      const form = Object.fromEntries(new URLSearchParams(Buffer.from(body).toString()));
      sts.asked.push(form);
      return sts.instead?.() ?? answer(request, body, form);
    },
  });
  const sts: Sts = {
    url: `http://127.0.0.1:${web.port}`,
    asked: [],
    lifeSeconds: 3600,
    externalId: undefined,
    instead: undefined,
    error,
    stop: () => web.stop(true),
  };
  let given = 0;

  function answer(request: Request, body: Uint8Array, form: Asked): Response {
    const { method, headers } = request;
    const { pathname } = new URL(request.url);
    if (method !== "POST" || pathname !== "/" || form["Version"] !== "2011-06-15")
      return error(400, "InvalidAction", `Could not find operation ${form["Action"]}`);
    if (form["Action"] === "AssumeRoleWithWebIdentity") return byWebIdentity(form);

    if (accessKeyIdOf(headers) !== sourceKeys.accessKeyId)
      return error(
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
      );
    const { secretAccessKey } = sourceKeys;
    const expected = { secretAccessKey, region: stsRegion, service: "sts" };
    if (!verifySigV4({ method, url: request.url, headers, body }, expected))
      return error(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match.",
      );
    return byKeys(form);
  }

  function byKeys(form: Asked): Response {
    if (form["Action"] !== "AssumeRole")
      return error(400, "InvalidAction", `Could not find operation ${form["Action"]}`);
    return wrongParameter(form) ?? admission(form) ?? session(form);
  }

  function byWebIdentity(form: Asked): Response {
    if (form["WebIdentityToken"] !== webIdentity)
      return error(400, "InvalidIdentityToken", "The token could not be read.");
    return wrongParameter(form) ?? session(form);
  }

  function admission(form: Asked): Response | undefined {
    if (form["RoleArn"] === roleArn && form["ExternalId"] === sts.externalId) return undefined;
    const message = `User: arn:aws:iam::123456789012:user/gateway is not authorized to perform: sts:AssumeRole on resource: ${form["RoleArn"]}`;
    return error(403, "AccessDenied", message);
  }

  function session(form: Asked): Response {
    const name = form["RoleSessionName"];
    const number = ++given;
    const expiration = new Date(Date.now() + sts.lifeSeconds * 1000).toISOString();
    return xml(
      200,
      `<${form["Action"]}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${form["Action"]}Result>` +
        `<AssumedRoleUser><AssumedRoleId>AROA123EXAMPLE123:${name}</AssumedRoleId>` +
        `<Arn>arn:aws:sts::123456789012:assumed-role/claude/${name}</Arn></AssumedRoleUser>` +
        `<Credentials><AccessKeyId>ASIA${number}</AccessKeyId><SecretAccessKey>secret-${number}</SecretAccessKey>` +
        `<SessionToken>token/${number}==</SessionToken><Expiration>${expiration}</Expiration></Credentials>` +
        `<PackedPolicySize>6</PackedPolicySize></${form["Action"]}Result>` +
        `<ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata></${form["Action"]}Response>`,
    );
  }

  return sts;
}

function wrongParameter(form: Asked): Response | undefined {
  const wrong =
    !/^arn:aws[\w-]*:iam::\d{12}:role\/.+$/.test(form["RoleArn"] ?? "") ||
    !/^[\w+=,.@-]{2,64}$/.test(form["RoleSessionName"] ?? "") ||
    !/^[\w+=,.@:/-]{2,1224}$/.test(form["ExternalId"] ?? "none") ||
    !/^\d{3,5}$/.test(form["DurationSeconds"] ?? "3600");
  return wrong ? error(400, "ValidationError", "1 validation error detected") : undefined;
}

function error(status: number, code: string, message: string): Response {
  return xml(
    status,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>` +
      `<Type>${status < 500 ? "Sender" : "Receiver"}</Type><Code>${code}</Code><Message>${message}</Message></Error>` +
      `<RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>`,
  );
}

function xml(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/xml" } });
}
