import { Problem, problem, type ProblemDetails } from '@dropbp/basics';

/** Kinds of errors, as OpenAI names them. */
export type ApiErrorType =
  'invalid_request_error' | 'authentication_error' | 'permission_error' | 'rate_limit_error' | 'server_error';

/** What an answer says of an error. */
export interface ApiErrorDetails extends ProblemDetails {
  /** @defaultValue 400 */
  readonly status?: number;
  /** @defaultValue invalid_request_error */
  readonly type?: ApiErrorType;
  /** The field of the request. */
  readonly param?: string | undefined;
  readonly code?: string | undefined;
  /** Seconds after which a second try makes sense. */
  readonly retryAfter?: number;
}

/** An error that a client is told. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As in OpenAI's answers. */
  readonly body: { readonly error: Readonly<Record<'message' | 'type' | 'param' | 'code', string | null>> };

  constructor({ status = 400, type = 'invalid_request_error', param, code, retryAfter, ...details }: ApiErrorDetails) {
    const message = plainText(problem('serve', details));
    super(message, { cause: details.cause });
    this.status = status;
    this.headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
    this.body = { error: { message, type, param: param ?? null, code: code ?? null } };
  }

  /** The answer. */
  response(): Response {
    return Response.json(this.body, { status: this.status, headers: this.headers });
  }
}

/** What a client is told of anything that was thrown: faults of the program keep their details to themselves. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Problem && !error.isFailure) return new ApiError({ what: plainText(error).replace(/\.$/, '') });
  const details = error instanceof Problem ? plainText(error).replace(/\.$/, '') : 'the server failed';
  return new ApiError({ status: 500, type: 'server_error', what: details, cause: error });
}

/** A problem without the package and the function that speak. */
function plainText({ message }: Error): string {
  return message.replace(/^\[@dropbp\/[^\]]+\] /, '').replace(/^\w+\(\): /, '');
}
