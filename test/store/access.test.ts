/** How a source is read that is not simply one's own: public, paid for by who asks, versioned, archived, with expired credentials. */
import {
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/servers/faultyProxy.ts';
import { startMoto } from '../support/servers/moto.ts';
import { all, failureOf, startTestS3, type TestS3 } from '../support/servers/s3.ts';

const moto = await startMoto();
let server: TestS3;
let proxy: FaultyProxy;
beforeAll(async () => {
  server = await startTestS3();
  proxy = await startFaultyProxy(server.endpoint);
});
afterAll(async () => {
  await proxy.stop();
  await Promise.all([server.stop(), moto?.stop()]);
});
afterEach(() => {
  proxy.fault = () => 'pass';
  vi.unstubAllEnvs();
});

const clientOf = (env: Record<string, string>): S3Client =>
  new S3Client({
    endpoint: env['AWS_ENDPOINT_URL_S3']!,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! },
  });

describe('unsigned', () => {
  test('a public bucket is listed and read without credentials, which are not looked for', async () => {
    await ensureBucket('s3://public', { env: server.env });
    await openStore('s3://public/images', { env: server.env }).put('a b.jpg', 'pixels');
    const statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: ['arn:aws:s3:::public', 'arn:aws:s3:::public/*'],
    };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await clientOf(server.env).send(new PutBucketPolicyCommand({ Bucket: 'public', Policy: policy }));

    const { AWS_ENDPOINT_URL_S3: endpoint } = server.env;
    const open = (unsigned: boolean, env: Record<string, string>) =>
      openStore('s3://public/images', { env: { AWS_ENDPOINT_URL_S3: endpoint!, ...env }, unsigned });
    const stranger = open(true, {});
    expect((await all(stranger.list())).map(({ key }) => key)).toEqual(['a b.jpg']);
    expect(Buffer.from((await stranger.get('a b.jpg')).body).toString()).toBe('pixels');
    expect(await stranger.head('a b.jpg')).toMatchObject({ sizeBytes: 6 });
    // With a signature, a wrong one is refused even where none is needed.
    const wrong = open(false, { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing' });
    expect(await failureOf(wrong.get('a b.jpg'))).toMatchObject({
      code: expect.stringMatching(/^Store\./) as string,
    });
  });

  test('a private bucket stays private', async () => {
    await openStore('s3://bucket/mine', { env: server.env }).put('a.jpg', 'pixels');
    const stranger = openStore('s3://bucket/mine', {
      env: { AWS_ENDPOINT_URL_S3: server.endpoint },
      unsigned: true,
    });
    expect(await failureOf(stranger.get('a.jpg'))).toMatchObject({ code: 'Store.Forbidden' });
    expect(await failureOf(all(stranger.list()))).toMatchObject({ code: 'Store.Forbidden' });
  });
});

describe('requester-pays', () => {
  test('every request that reads agrees to pay, and without it the hint says so', async () => {
    const unpaid: string[] = [];
    // As a requester-pays bucket does: who does not agree is refused.
    proxy.fault = (line, head) => {
      if (/x-amz-request-payer: requester/i.test(head)) return 'pass';
      unpaid.push(line);
      return { status: 403 };
    };
    await openStore('s3://bucket/paid', { env: server.env }).put('a.jpg', 'pixels');
    const env = { ...server.env, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const paying = openStore('s3://bucket/paid', { env, requesterPays: true });
    expect((await all(paying.list())).map(({ key }) => key)).toEqual(['a.jpg']);
    expect(Buffer.from((await paying.get('a.jpg')).body).toString()).toBe('pixels');
    expect(await paying.head('a.jpg')).toBeDefined();
    expect(unpaid).toEqual([]);
    const failure = await failureOf(openStore('s3://bucket/paid', { env }).get('a.jpg'));
    expect(failure).toMatchObject({
      code: 'Store.Forbidden',
      hint: expect.stringContaining('--requester-pays') as string,
    });
  });
});

describe.skipIf(!moto)('on a server that has them', () => {
  const put = async (
    bucket: string,
    key: string,
    body: string,
    storageClass?: 'GLACIER' | 'DEEP_ARCHIVE' | 'GLACIER_IR',
  ) =>
    (
      await clientOf(moto!.env).send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: body,
          ...(storageClass && { StorageClass: storageClass }),
        }),
      )
    ).VersionId;

  test('a version is read by its id, odd keys included, and tells it', async () => {
    await ensureBucket('s3://versions', { env: moto!.env });
    await clientOf(moto!.env).send(
      new PutBucketVersioningCommand({
        Bucket: 'versions',
        VersioningConfiguration: { Status: 'Enabled' },
      }),
    );
    for (const key of ['a.jpg', '/lead//x', 'p/../q', 'sp ace+%20']) {
      const first = await put('versions', key, 'first');
      const second = await put('versions', key, 'second');
      const store = openStore('s3://versions', { env: moto!.env });
      const old = await store.get(key, { versionId: first! });
      expect(Buffer.from(old.body).toString()).toBe('first');
      expect(old.info.versionId).toBe(first);
      expect((await store.get(key)).info.versionId).toBe(second);
      const wrong = store.get(key, { versionId: first!, ifMatch: (await store.head(key))!.etag });
      expect(await failureOf(wrong)).toMatchObject({ code: 'Store.Changed' });
      const gone = store.get(key, { versionId: '00000000-0000-0000-0000-000000000000' });
      expect(await failureOf(gone)).toMatchObject({ code: 'Store.NotFound' });
    }
  });

  test('a listing tells what is archived, and what was restored', async () => {
    await ensureBucket('s3://cold', { env: moto!.env });
    await put('cold', 'deep.jpg', 'x', 'DEEP_ARCHIVE');
    await put('cold', 'frozen.jpg', 'x', 'GLACIER');
    await put('cold', 'instant.jpg', 'x', 'GLACIER_IR');
    await put('cold', 'thawed.jpg', 'x', 'GLACIER');
    await put('cold', 'warm.jpg', 'x');
    await clientOf(moto!.env).send(
      new RestoreObjectCommand({ Bucket: 'cold', Key: 'thawed.jpg', RestoreRequest: { Days: 1 } }),
    );
    const store = openStore('s3://cold', { env: moto!.env });
    const archived = (await all(store.list())).filter((object) => object.archived);
    // Moto does not say in listings what was restored; a get does tell.
    expect(archived.map(({ key }) => key).filter((key) => key !== 'thawed.jpg')).toEqual([
      'deep.jpg',
      'frozen.jpg',
    ]);
    expect(await failureOf(store.get('frozen.jpg'))).toMatchObject({ code: 'Store.Archived' });
  });
});

test('credentials of a file that expire are read anew: the same store goes on with the renewed ones', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'c2srt-credentials-'));
  const file = join(folder, 'credentials');
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = server.env;
  const write = (token: string) =>
    writeFile(
      file,
      `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n${token === '' ? '' : `aws_session_token = ${token}\n`}`,
    );
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', proxy.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  proxy.fault = (_line, head) =>
    /x-amz-security-token: old/i.test(head)
      ? {
          status: 400,
          body: '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>',
        }
      : 'pass';
  try {
    await openStore('s3://bucket/expiring', { env: server.env }).put('a.jpg', 'pixels');
    await write('old');
    const store = openStore('s3://bucket/expiring');
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await failureOf(store.get('a.jpg'))).toMatchObject({
        code: 'Store.Credentials',
        retryable: true,
      });
    await write('');
    expect(Buffer.from((await store.get('a.jpg')).body).toString()).toBe('pixels');
  } finally {
    await rm(folder, { recursive: true });
  }
});
