import { Failure } from '../failure.ts';
import type { ObjectStore } from './store.ts';

/** An object that is read in ranges: memory follows the range, not the object. */
export interface RangedObject {
  /** Of the object that all ranges are of. */
  etag: string;
  sizeBytes: number;
  /** The bytes [start, end), cut to the object's. */
  slice(start: number, end?: number): Promise<Uint8Array>;
  /** The whole object, a piece after another. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
}

const CHUNK_BYTES = 8 << 20;

/**
 * Opens an object that may be larger than memory.
 *
 * @throws Failure `Store.NotFound`; later `Store.Changed` where the object changes between two ranges
 */
export async function openRanges(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<RangedObject> {
  const info = await store.head(key);
  if (info === undefined) {
    const subject = store.describeKey(key);
    throw new Failure('Store.NotFound', `${subject}: no such object`, { subject, hint: 'Check the URI.' });
  }
  const { etag, sizeBytes } = info;
  const slice = async (start: number, end = sizeBytes) => {
    const range = { start, end: Math.min(end, sizeBytes) };
    if (range.start >= range.end) return new Uint8Array();
    const { body } = await store.get(key, { ifMatch: etag, range, ...(signal && { signal }) });
    return body;
  };
  return {
    etag,
    sizeBytes,
    slice,
    async *chunks() {
      for (let start = 0; start < sizeBytes; start += CHUNK_BYTES)
        yield await slice(start, start + CHUNK_BYTES);
    },
  };
}
