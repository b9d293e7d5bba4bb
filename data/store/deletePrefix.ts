import type { ObjectStore } from './store.ts';

/** Objects deleted by one request, at most what S3 takes. */
const BATCH = 1000;

/** Deletes all objects whose keys start with `prefix`; `report` is told after each request. */
export async function deletePrefix(store: ObjectStore, prefix: string, report: () => void): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list({ prefix })) keys.push(key);
  for (let i = 0; i < keys.length; i += BATCH) {
    await store.delete(keys.slice(i, i + BATCH));
    report();
  }
}
