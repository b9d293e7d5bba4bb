import { randomUUID } from 'node:crypto';
import { Failure, isFailure } from '../failure.ts';
import type { ObjectStore, PutOptions } from './store.ts';

/**
 * Finds out whether the store honours conditional puts, on which exactly-once rests; leaves nothing behind.
 *
 * @param folder key prefix to write the one small object below, without a slash at its end
 * @throws Failure `Store.ConditionalPutIgnored`, or what the writing itself met, as `Store.Forbidden`
 */
export async function probeConditionalPuts(store: ObjectStore, folder = '_probe'): Promise<void> {
  const key = `${folder}/${randomUUID()}`;
  const first = await store.put(key, 'first', { ifNoneMatch: '*' });
  try {
    await expectRefusal(store, key, 'If-None-Match', { ifNoneMatch: '*' });
    const second = await store.put(key, 'second, longer', { ifMatch: first.etag });
    if (second.etag === first.etag) throw ignored(store, 'If-Match');
    await expectRefusal(store, key, 'If-Match', { ifMatch: first.etag });
  } finally {
    await store.delete([key]);
  }
}

async function expectRefusal(
  store: ObjectStore,
  key: string,
  header: string,
  condition: PutOptions,
): Promise<void> {
  try {
    await store.put(key, 'must not be written', condition);
  } catch (error) {
    if (isFailure(error, 'Store.PreconditionFailed')) return;
    throw error;
  }
  throw ignored(store, header);
}

function ignored(store: ObjectStore, header: string): Failure {
  return new Failure('Store.ConditionalPutIgnored', `${store.uri}: the store ignores ${header} on puts`, {
    subject: store.uri,
    hint: 'Write to a store with conditional puts (Amazon S3, MinIO, a folder), or update the server.',
  });
}
