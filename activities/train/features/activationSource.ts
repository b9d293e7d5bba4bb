/** Activations of a snapshot's images, by their rows: computed as they are needed, or read from the kept features. */
import pMap from 'p-map';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { featuresPieceKey } from '../../../data/training/trainLayout.ts';
import type { FailedImage } from '../../../data/training/failedImages.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { ActivationShape, ActivationValues } from '../../../model/ranking/activations.ts';
import type { SharedEncoder } from '../dependencies.ts';
import { requireFeaturesReceipt, type FeaturesReceipt } from './featuresReceipt.ts';
import type { ImageLoader } from './imageLoader.ts';

/** Activations of some images, in the order asked for. */
export interface LoadedActivations extends ActivationValues {
  /** By position in the batch; their activations are zeros. */
  failed: Map<number, FailedImage>;
}

export interface ActivationSource {
  /** `rows` are numbers in the snapshot; `images` are its rows. */
  read(
    rows: ArrayLike<number>,
    images: readonly SnapshotRow[],
    signal: AbortSignal,
  ): Promise<LoadedActivations>;
}

/** Fetches, decodes and encodes the images every time. */
export function computedActivations(
  load: ImageLoader,
  encoder: SharedEncoder,
  shape: ActivationShape,
  imageBytes: number,
): ActivationSource {
  return {
    async read(_, images, signal) {
      const { pixels, failed } = await load(images, signal);
      const values = emptyActivations(images.length, shape);
      for (let from = 0; from < images.length; from += encoder.batchSize) {
        const to = Math.min(images.length, from + encoder.batchSize);
        const { hidden, global } = await encoder.run(pixels.slice(from * imageBytes, to * imageBytes));
        values.hidden.set(hidden, (from * hidden.length) / (to - from));
        values.global.set(global, from * shape.d);
      }
      for (const at of failed.keys()) {
        const perImage = shape.tokens * shape.width;
        values.hidden.fill(0, at * perImage, (at + 1) * perImage);
        values.global.fill(0, at * shape.d, (at + 1) * shape.d);
      }
      return { ...values, failed };
    },
  };
}

export interface KeptActivations {
  artifacts: ObjectStore;
  hash: string;
  /** Images per piece. */
  pieceImages: number;
  shape: ActivationShape;
  /** Images read at once. */
  concurrency: number;
}

/** Reads what `extractFeatures` has kept, an image at a time, by its place in its piece. */
export function keptActivations({
  artifacts,
  hash,
  pieceImages,
  shape,
  concurrency,
}: KeptActivations): ActivationSource {
  const receipts = new Map<number, Promise<FeaturesReceipt>>();
  const receiptOf = (piece: number): Promise<FeaturesReceipt> => {
    let receipt = receipts.get(piece);
    if (!receipt) {
      receipts.set(piece, (receipt = requireFeaturesReceipt(artifacts, hash, piece)));
      receipt.catch(() => receipts.delete(piece));
    }
    return receipt;
  };
  const hiddenBytes = 2 * shape.tokens * shape.width;
  const globalBytes = 4 * shape.d;
  return {
    async read(rows, images, signal) {
      const values = emptyActivations(images.length, shape);
      const [hidden, global] = [new Uint8Array(values.hidden.buffer), new Uint8Array(values.global.buffer)];
      const failed = new Map<number, FailedImage>();
      await pMap(
        Array.from(rows).entries(),
        async ([at, row]) => {
          const piece = Math.floor(row / pieceImages);
          const place = row % pieceImages;
          const receipt = await receiptOf(piece);
          const failure = receipt.failed.find((known) => known.place === place);
          if (failure) {
            failed.set(at, { uri: images[at]!.uri, code: failure.code });
            return;
          }
          const key = featuresPieceKey(hash, piece);
          const bytes = async (start: number, size: number): Promise<Uint8Array> =>
            (await artifacts.get(key, { range: { start, end: start + size }, signal })).body;
          const [own, ownGlobal] = await Promise.all([
            bytes(receipt.hiddenOffset + place * hiddenBytes, hiddenBytes),
            bytes(receipt.globalOffset + place * globalBytes, globalBytes),
          ]);
          hidden.set(own, at * hiddenBytes);
          global.set(ownGlobal, at * globalBytes);
        },
        { concurrency, signal },
      );
      return { ...values, failed };
    },
  };
}

export function emptyActivations(images: number, { tokens, width, d }: ActivationShape): ActivationValues {
  return {
    hidden: new Uint16Array(images * tokens * width),
    global: new Float32Array(images * d),
  };
}
