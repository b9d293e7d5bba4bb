import { Failure, messageOf } from '../failure.ts';

/** What the classifier reads of an error of the AWS SDK or of Node's network layer. */
interface ProviderError {
  name?: string;
  code?: string;
  Code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string | undefined> };
  $retryable?: unknown;
}

interface Verdict {
  code: string;
  what: string;
  hint?: string;
  retryable?: boolean;
}

const CREDENTIALS_HINT =
  'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine.';
const EXPIRED: Verdict = {
  code: 'Store.Credentials',
  what: 'the credentials have expired',
  hint: 'Renew the session (for example "aws sso login") or the credentials file; the run goes on by itself. Credentials in variables cannot be renewed in a running process: start its workers again.',
  retryable: true,
};
const REFUSED: Verdict = {
  code: 'Store.Credentials',
  what: 'the credentials were refused',
  hint: CREDENTIALS_HINT,
};
const NO_CREDENTIALS: Verdict = {
  ...REFUSED,
  what: 'no credentials found',
  hint: `${CREDENTIALS_HINT} A public bucket is read without any by \`c2srt tag --unsigned\`.`,
};
const UNAVAILABLE: Verdict = { code: 'Store.Unavailable', what: 'the store is unavailable', retryable: true };
const SLOW_DOWN: Verdict = {
  code: 'Store.Unavailable',
  what: 'the store asks to slow down',
  retryable: true,
};
const NOT_FOUND: Verdict = { code: 'Store.NotFound', what: 'no such object' };
const NO_BUCKET: Verdict = {
  code: 'Store.NoBucket',
  what: 'no such bucket',
  hint: 'Check the name of the bucket.',
};
const OTHER_REGION: Verdict = {
  code: 'Store.NoBucket',
  what: 'the bucket is in another region',
  hint: "Set AWS_REGION to the bucket's region.",
};
const FORBIDDEN: Verdict = {
  code: 'Store.Forbidden',
  what: 'access denied',
  hint: 'Allow s3:GetObject, s3:PutObject and s3:ListBucket; without the last, S3 also says this of missing objects. A requester-pays bucket needs `c2srt tag --requester-pays`.',
};
const DISK_FULL: Verdict = {
  code: 'Store.DiskFull',
  what: 'the store is full',
  hint: 'Free some space, then resume.',
};

/** Error codes that S3, and servers that speak its protocol, give a name to. */
const BY_NAME: Record<string, Verdict> = {
  NoSuchKey: NOT_FOUND,
  NoSuchVersion: NOT_FOUND,
  NoSuchUpload: { ...UNAVAILABLE, what: 'the multipart upload was cut off' },
  NoSuchBucket: NO_BUCKET,
  PermanentRedirect: OTHER_REGION,
  AuthorizationHeaderMalformed: OTHER_REGION,
  IllegalLocationConstraintException: OTHER_REGION,
  InvalidBucketName: { code: 'Store.InvalidUri', what: 'not a valid bucket name' },
  AccessDenied: FORBIDDEN,
  AllAccessDisabled: FORBIDDEN,
  AccountProblem: FORBIDDEN,
  InvalidAccessKeyId: REFUSED,
  SignatureDoesNotMatch: REFUSED,
  InvalidToken: REFUSED,
  CredentialsProviderError: NO_CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  RequestTimeTooSkewed: { ...REFUSED, what: "this machine's clock is wrong", hint: 'Set the clock.' },
  InvalidObjectState: {
    code: 'Store.Archived',
    what: 'the object is archived',
    hint: 'Restore it from its archive storage class first.',
  },
  EntityTooLarge: { code: 'Store.TooLarge', what: 'too large for one request' },
  KeyTooLongError: { code: 'Store.InvalidKey', what: 'the key is too long' },
  XMinioInvalidObjectName: { code: 'Store.InvalidKey', what: 'the store does not take this key' },
  XMinioStorageFull: DISK_FULL,
  QuotaExceeded: DISK_FULL,
  ConditionalRequestConflict: { ...UNAVAILABLE, what: 'another request was changing the object' },
  OperationAborted: { ...UNAVAILABLE, what: 'another request was changing the object' },
  RequestTimeout: UNAVAILABLE,
  IncompleteBody: UNAVAILABLE,
  BadDigest: { ...UNAVAILABLE, what: 'the body was damaged on its way' },
  SlowDown: SLOW_DOWN,
  ServiceUnavailable: UNAVAILABLE,
  InternalError: UNAVAILABLE,
  Throttling: SLOW_DOWN,
  ThrottlingException: SLOW_DOWN,
  TooManyRequestsException: SLOW_DOWN,
  RequestLimitExceeded: SLOW_DOWN,
  TimeoutError: { ...UNAVAILABLE, what: 'the store did not answer in time' },
};

/** What a status says where the error has no known name: answers to HEAD carry no body, hence no name. */
function byStatus(status: number, conditional: boolean): Verdict | undefined {
  if (status === 412)
    return { code: 'Store.PreconditionFailed', what: 'the condition of the request does not hold' };
  if (status === 501 && conditional) {
    return { code: 'Store.ConditionalPutIgnored', what: 'the store has no conditional puts' };
  }
  if (status === 401 || status === 403) return FORBIDDEN;
  if (status === 404 || status === 410) return NOT_FOUND;
  if (status === 301 || status === 307) return OTHER_REGION;
  if (status === 413) return BY_NAME['EntityTooLarge'];
  if (status === 429) return SLOW_DOWN;
  if (status === 507) return DISK_FULL;
  if (status === 408 || status >= 500) return UNAVAILABLE;
  return undefined;
}

/**
 * What a request was for: `get` reads a 412 as `Store.Changed`; `version`, a get or head of a named version, does too,
 * and 400 and 405 (a version id that cannot be one, a delete marker's) as `Store.NotFound`; `conditionalPut` reads 501 as
 * "has no conditional puts", and 404 (what S3 says to If-Match on a missing object) as `Store.PreconditionFailed`.
 */
export type Operation = 'get' | 'version' | 'conditionalPut' | 'other';

/**
 * The Failure that an error of the AWS SDK or of the network stands for.
 *
 * @param subject the object's or store's URI, for the message
 */
export function classifyS3Error(error: unknown, subject: string, operation: Operation = 'other'): Failure {
  if (error instanceof Failure) return error;
  const provider = (typeof error === 'object' && error !== null ? error : {}) as ProviderError;
  const status = provider.$metadata?.httpStatusCode ?? provider.$response?.statusCode;
  const verdict = adapt(judge(provider, status, operation === 'conditionalPut'), operation, status);
  const retryAfterMs = readRetryAfter(provider.$response?.headers?.['retry-after']);
  const detail = [status, provider.name, messageOf(error)].filter(
    (part) => part !== undefined && part !== 'Error',
  );
  return new Failure(verdict.code, `${subject}: ${verdict.what} (${detail.join(' ')})`, {
    subject,
    cause: error,
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
    ...(verdict.retryable === true ? { retryable: true } : {}),
    ...(verdict.retryable === true && retryAfterMs !== undefined ? { retryAfterMs } : {}),
  });
}

function judge(error: ProviderError, status: number | undefined, conditional: boolean): Verdict {
  for (const name of [error.name, error.Code]) {
    if (name !== undefined && Object.hasOwn(BY_NAME, name)) return BY_NAME[name]!;
  }
  if (error.$retryable !== undefined) return UNAVAILABLE;
  if (status !== undefined && status >= 300) {
    return byStatus(status, conditional) ?? { code: 'Store.Rejected', what: 'the store refused the request' };
  }
  if (error.code !== undefined && /CERT|^ERR_TLS|SELF_SIGNED|^UNABLE_TO/.test(error.code)) {
    const hint =
      'Point NODE_EXTRA_CA_CERTS at the certificate authority of the store, or correct the endpoint.';
    return { code: 'Store.Unavailable', what: "the store's certificate is not trusted", hint };
  }
  // No answer (a network error has a code), or an answer that was cut off or is not S3's.
  if (error.code !== undefined || status !== undefined) return UNAVAILABLE;
  if (/aborted|socket|checksum|premature/i.test(error.message ?? '')) return UNAVAILABLE;
  return { code: 'Store.Rejected', what: 'the request could not be made' };
}

function adapt(verdict: Verdict, operation: Operation, status: number | undefined): Verdict {
  if (operation === 'version' && verdict.code === 'Store.Rejected' && (status === 400 || status === 405))
    return { ...NOT_FOUND, what: 'no such version' };
  if ((operation === 'get' || operation === 'version') && verdict.code === 'Store.PreconditionFailed') {
    return { code: 'Store.Changed', what: 'the object is not the one that was listed any more' };
  }
  if (operation === 'conditionalPut' && verdict.code === 'Store.NotFound') {
    return { code: 'Store.PreconditionFailed', what: 'the object to replace does not exist' };
  }
  return verdict;
}

/** Milliseconds to wait by a Retry-After header (seconds or an HTTP date); undefined where there is none. */
export function readRetryAfter(header: string | undefined, nowMs = Date.now()): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
