import { isFailure } from '../failure.ts';
import type { ObjectStore } from './store.ts';

/** The value of a JSON object. Throws `Store.NotFound` where there is none. */
export async function readJson(store: ObjectStore, key: string): Promise<unknown> {
  const { body } = await store.get(key);
  return JSON.parse(Buffer.from(body).toString());
}

/** {@link readJson}, undefined where there is no such object. */
export async function readJsonIfThere(store: ObjectStore, key: string): Promise<unknown> {
  try {
    return await readJson(store, key);
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return undefined;
    throw error;
  }
}

/**
 * Puts `value` where there is nothing yet; returns what is there in the end, as `read` finds it. A put that is refused
 * does not mean that it was lost: a put whose answer did not arrive was sent again and met itself. Only reading tells.
 */
export async function putJsonOnce<Value>(
  store: ObjectStore,
  key: string,
  value: Value,
  read: () => Promise<Value | undefined>,
): Promise<Value> {
  try {
    await store.put(key, JSON.stringify(value), {
      ifNoneMatch: '*',
      contentType: 'application/json',
    });
    return value;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    const there = await read();
    if (there === undefined) throw error;
    return there;
  }
}
