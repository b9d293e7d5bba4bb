import type { ObjectStore } from '../../data/store/store.ts';

/** Requests by the name of their operation in S3. */
export type RequestCounts = Record<string, number>;

/** What a store's methods are in S3. */
const OPERATIONS: Readonly<Record<string, string>> = {
  list: 'ListObjectsV2',
  head: 'HeadObject',
  get: 'GetObject',
  put: 'PutObject',
  copy: 'CopyObject',
  delete: 'DeleteObjects',
};

/** `store`, and the requests that its calls would be, were it in S3: one for each. */
export function countedStore(store: ObjectStore): { store: ObjectStore; requests: RequestCounts } {
  const requests: RequestCounts = {};
  const counted = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const operation = typeof name === 'string' ? OPERATIONS[name] : undefined;
      return (...args: unknown[]): unknown => {
        if (operation !== undefined) requests[operation] = (requests[operation] ?? 0) + 1;
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { store: counted, requests };
}
