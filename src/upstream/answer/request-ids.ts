// Which of an answer's headers say what the provider calls the request. They go into the audit trail, where support asks for them.

export type RequestIds = {
  /** The provider's own id of the request. */
  readonly requestId: string | null;
  /** The id that the cloud in front of the provider gave it, where there is one. */
  readonly cloudRequestId: string | null;
};

/** AWS's, which stands for both where nothing else does. */
const awsHeader = "x-amzn-requestid";

/** What an id is made of. A header of anything else is not passed on into logs. */
const usable = /^[A-Za-z0-9._-]{1,64}$/;

export function requestIdsOf(headers: Headers): RequestIds {
  const idIn = (name: string) => {
    const value = headers.get(name) || headers.get(awsHeader);
    return value !== null && usable.test(value) ? value : null;
  };
  return { requestId: idIn("request-id"), cloudRequestId: idIn("apim-request-id") };
}
