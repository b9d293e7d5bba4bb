import pMap from 'p-map';
import { splitObjectUri } from '../../../data/dataset/objectUri.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import type { FailedImage } from '../../../data/training/failedImages.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { imageFailure } from '../../imageFailure.ts';
import type { Decoder } from '../../tag/dependencies.ts';

export interface LoadedImages {
  /** uint8 [B, S, S, 3]; zeros where an image failed. */
  pixels: Uint8Array<ArrayBuffer>;
  /** By position in the batch. */
  failed: Map<number, FailedImage>;
}

export interface ImageLoaderOptions {
  openStore(uri: string): ObjectStore;
  decoder: Decoder;
  /** S: decoded pixels are [S, S, 3]. */
  imageSide: number;
  maxBytes: number;
  /** Images being fetched or decoded at once. */
  concurrency: number;
}

/** Fetches and decodes images by URI; one whose etag is known must still have it, or it is `Store.Changed`. */
export type ImageLoader = (
  images: readonly Pick<SnapshotRow, 'uri' | 'etag'>[],
  signal: AbortSignal,
) => Promise<LoadedImages>;

export function createImageLoader(options: ImageLoaderOptions): ImageLoader {
  const { openStore, decoder, imageSide, maxBytes, concurrency } = options;
  const imageBytes = imageSide * imageSide * 3;
  const stores = new Map<string, ObjectStore>();
  const storeOf = (uri: string): ObjectStore => {
    let store = stores.get(uri);
    if (!store) stores.set(uri, (store = openStore(uri)));
    return store;
  };
  return async (images, signal) => {
    const pixels = new Uint8Array(images.length * imageBytes);
    const failed = new Map<number, FailedImage>();
    await pMap(
      images.entries(),
      async ([at, { uri, etag }]) => {
        const { store, key } = splitObjectUri(uri);
        try {
          const { body } = await storeOf(store).get(key, {
            maxBytes,
            signal,
            ...(etag !== undefined && { ifMatch: etag }),
          });
          pixels.set((await decoder.decode(body, { signal })).pixels, at * imageBytes);
        } catch (error) {
          failed.set(at, { uri, code: imageFailure(error).code });
        }
      },
      { concurrency, signal },
    );
    return { pixels, failed };
  };
}
