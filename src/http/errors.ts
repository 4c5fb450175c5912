// What a refusal looks like to the client: the error types, the status each one has, and the Anthropic envelope. Who
// catches an ApiError, logs it and sends the answer is the router's part; the plain OAuth error bodies are oauth's.

const statusByType = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  billing_error: 429,
  not_supported: 501,
  overloaded_error: 529,
  api_error: 500,
} as const;

export type ApiErrorType = keyof typeof statusByType;

/**
 * A refusal as the client reads it. The message is sent as it is, so it never holds what only the log may say.
 *
 * `status` is the type's own unless given: `api_error` is 500, and 502 when every upstream failed. `headers` go on the
 * answer beside the common ones.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly type: ApiErrorType;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    type: ApiErrorType,
    message: string,
    options: { status?: number; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.type = type;
    this.status = options.status ?? statusByType[type];
    this.headers = options.headers ?? {};
  }
}

/** The body of a refusal, keys in the order that clients and log pipelines have seen so far. */
export function errorEnvelope(type: string, message: string, requestId: string): string {
  return JSON.stringify({ type: "error", request_id: requestId, error: { type, message } });
}
