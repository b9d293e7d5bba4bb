import { describe, expect, test } from 'vitest';
import { Failure } from '../../data/failure.ts';
import { classifyS3Error, readRetryAfter } from '../../data/store/classify.ts';
import { classifyFileError } from '../../data/store/file/classifyFile.ts';

/** An error as the SDK throws it for an answer. */
function answered(status: number, name = 'Error', headers: Record<string, string> = {}): Error {
  const error = Object.assign(new Error('said the server'), { $metadata: { httpStatusCode: status } });
  Object.defineProperty(error, '$response', { value: { statusCode: status, headers }, enumerable: false });
  error.name = name;
  return error;
}

const RETRYABLE = true;
const FINAL = false;

describe('an answer of S3', () => {
  test.each([
    [404, 'NoSuchKey', 'Store.NotFound', FINAL],
    [404, 'NotFound', 'Store.NotFound', FINAL],
    [404, 'NoSuchBucket', 'Store.NoBucket', FINAL],
    [301, 'PermanentRedirect', 'Store.NoBucket', FINAL],
    [400, 'AuthorizationHeaderMalformed', 'Store.NoBucket', FINAL],
    [403, 'AccessDenied', 'Store.Forbidden', FINAL],
    [403, '403', 'Store.Forbidden', FINAL],
    [401, 'Unauthorized', 'Store.Forbidden', FINAL],
    [403, 'InvalidObjectState', 'Store.Archived', FINAL],
    [403, 'InvalidAccessKeyId', 'Store.Credentials', FINAL],
    [403, 'SignatureDoesNotMatch', 'Store.Credentials', FINAL],
    [403, 'RequestTimeTooSkewed', 'Store.Credentials', FINAL],
    [400, 'ExpiredToken', 'Store.Credentials', RETRYABLE],
    [403, 'ExpiredTokenException', 'Store.Credentials', RETRYABLE],
    [400, 'InvalidBucketName', 'Store.InvalidUri', FINAL],
    [400, 'KeyTooLongError', 'Store.InvalidKey', FINAL],
    [400, 'EntityTooLarge', 'Store.TooLarge', FINAL],
    [413, 'Error', 'Store.TooLarge', FINAL],
    [400, 'RequestTimeout', 'Store.Unavailable', RETRYABLE],
    [400, 'InvalidRequest', 'Store.Rejected', FINAL],
    [409, 'ConditionalRequestConflict', 'Store.Unavailable', RETRYABLE],
    [409, 'OperationAborted', 'Store.Unavailable', RETRYABLE],
    [408, 'Error', 'Store.Unavailable', RETRYABLE],
    [429, 'Error', 'Store.Unavailable', RETRYABLE],
    [500, 'InternalError', 'Store.Unavailable', RETRYABLE],
    [502, 'Error', 'Store.Unavailable', RETRYABLE],
    [503, 'SlowDown', 'Store.Unavailable', RETRYABLE],
    [503, 'ServiceUnavailable', 'Store.Unavailable', RETRYABLE],
    [504, 'Error', 'Store.Unavailable', RETRYABLE],
    [507, 'XMinioStorageFull', 'Store.DiskFull', FINAL],
    [507, 'Error', 'Store.DiskFull', FINAL],
    [412, 'PreconditionFailed', 'Store.PreconditionFailed', FINAL],
    [200, 'SyntaxError', 'Store.Unavailable', RETRYABLE],
  ])('%i %s is %s', (status, name, code, retryable) => {
    const failure = classifyS3Error(answered(status, name), 's3://bucket/key');
    expect(failure).toMatchObject({ code, retryable, subject: 's3://bucket/key' });
    expect(failure.message).toContain('s3://bucket/key');
  });

  test('means another thing by operation', () => {
    expect(classifyS3Error(answered(412, 'PreconditionFailed'), 'k', 'get').code).toBe('Store.Changed');
    expect(classifyS3Error(answered(404, 'NoSuchKey'), 'k', 'conditionalPut').code).toBe(
      'Store.PreconditionFailed',
    );
    expect(classifyS3Error(answered(404, 'NoSuchBucket'), 'k', 'conditionalPut').code).toBe('Store.NoBucket');
    const noConditions = classifyS3Error(answered(501, 'NotImplemented'), 'k', 'conditionalPut');
    expect(noConditions.code).toBe('Store.ConditionalPutIgnored');
  });

  test('carries how long to wait', () => {
    const failure = classifyS3Error(answered(503, 'SlowDown', { 'retry-after': '7' }), 'k');
    expect(failure.retryAfterMs).toBe(7000);
    expect(
      classifyS3Error(answered(404, 'NoSuchKey', { 'retry-after': '7' }), 'k').retryAfterMs,
    ).toBeUndefined();
    expect(readRetryAfter('Wed, 21 Oct 2015 07:28:10 GMT', Date.UTC(2015, 9, 21, 7, 28, 0))).toBe(10_000);
    expect(readRetryAfter('Wed, 21 Oct 2015 07:28:10 GMT', Date.UTC(2016, 1, 1))).toBe(0);
    expect(readRetryAfter('soon')).toBeUndefined();
  });
});

describe('no answer', () => {
  test.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])(
    '%s is retried',
    (code) => {
      const failure = classifyS3Error(Object.assign(new Error(code), { code }), 'k');
      expect(failure).toMatchObject({ code: 'Store.Unavailable', retryable: true });
    },
  );

  test.each([
    ['TimeoutError', 'Store.Unavailable', RETRYABLE],
    ['CredentialsProviderError', 'Store.Credentials', FINAL],
    ['TypeError', 'Store.Rejected', FINAL],
  ])('%s is %s', (name, code, retryable) => {
    const error = new Error('x');
    error.name = name;
    expect(classifyS3Error(error, 'k')).toMatchObject({ code, retryable });
  });

  test('a certificate that is not trusted does not heal by itself', () => {
    const error = Object.assign(new Error('x'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(classifyS3Error(error, 'k')).toMatchObject({ code: 'Store.Unavailable', retryable: false });
  });
});

test.each([
  ['ENOENT', 'Store.NotFound', FINAL],
  ['ENOTDIR', 'Store.NotFound', FINAL],
  ['EISDIR', 'Store.NotFound', FINAL],
  ['EACCES', 'Store.Forbidden', FINAL],
  ['EPERM', 'Store.Forbidden', FINAL],
  ['EROFS', 'Store.Forbidden', FINAL],
  ['ENOSPC', 'Store.DiskFull', FINAL],
  ['EDQUOT', 'Store.DiskFull', FINAL],
  ['ENAMETOOLONG', 'Store.InvalidKey', FINAL],
  ['EFBIG', 'Store.TooLarge', FINAL],
  ['EMFILE', 'Store.Unavailable', RETRYABLE],
  ['EIO', 'Store.Unavailable', RETRYABLE],
  ['ESTALE', 'Store.Unavailable', RETRYABLE],
])('%s of a file system is %s', (errno, code, retryable) => {
  const failure = classifyFileError(Object.assign(new Error(errno), { code: errno }), 'file:///a');
  expect(failure).toMatchObject({ code, retryable, subject: 'file:///a' });
});

test('what is a Failure already stays as it is', () => {
  const failure = new Failure('Store.TooLarge', 'x');
  expect(classifyS3Error(failure, 'k')).toBe(failure);
  expect(classifyFileError(failure, 'k')).toBe(failure);
});
