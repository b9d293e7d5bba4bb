import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBucket } from '../../../data/store/open.ts';
import { startLocalS3 } from '../../../infra/s3.ts';

export interface TestS3 {
  env: Record<string, string>;
  endpoint: string;
  /** Folder that holds the bucket `bucket`. */
  dir: string;
  stop: () => Promise<void>;
}

/** A local S3 server in a temporary folder, with the bucket `bucket` in it. */
export async function startTestS3(): Promise<TestS3> {
  const folder = await mkdtemp(join(tmpdir(), 'c2srt-s3-'));
  const dir = join(folder, 'buckets');
  const server = await startLocalS3({ dir, onProgress: (line) => console.warn(line) });
  await ensureBucket('s3://bucket', { env: server.env });
  const stop = async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { env: server.env, endpoint: server.endpoint, dir, stop };
}

/** All that an async iterable yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** The Failure (or other error) that `work` throws; fails where it does not. */
export async function failureOf(
  work: Promise<unknown>,
): Promise<Error & { code?: string; retryable?: boolean }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a failure, and there was none');
}
