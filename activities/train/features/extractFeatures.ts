import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import { featuresPieceKey, featuresReceiptKey, snapshotFolder } from '../../../data/training/trainLayout.ts';
import { encodeSafetensors, tensorPlaces } from '../../../data/safetensors.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { ActivationShape } from '../../../model/ranking/activations.ts';
import { emptyActivations, type ActivationSource } from './activationSource.ts';
import type { FeaturesReceipt } from './featuresReceipt.ts';
import type { FeaturesRequest } from './featuresRequest.ts';

/** Images between two reports. */
const BATCH = 64;

export interface PieceOptions {
  artifacts: ObjectStore;
  hash: string;
  piece: number;
  request: FeaturesRequest;
  /** Has the snapshot. */
  snapshots: ObjectStore;
  source: ActivationSource;
  shape: ActivationShape;
  signal: AbortSignal;
  /** Told how many images are done. */
  report(images: number): void;
}

/**
 * Keeps the activations of one piece of a snapshot: `hidden` float16 [n, T, width] and `global` float32 [n, d] in a
 * safetensors file, and its receipt.
 */
export async function extractFeatures(options: PieceOptions): Promise<FeaturesReceipt> {
  const { artifacts, hash, piece, request, snapshots, source, shape, signal, report } = options;
  const { snapshot, images, pieceImages } = request;
  const from = piece * pieceImages;
  const rows = await readSnapshotRows(
    snapshots,
    snapshotFolder(snapshot.name),
    from,
    Math.min(images, from + pieceImages),
  );
  const values = emptyActivations(rows.length, shape);
  const failed: FeaturesReceipt['failed'] = [];
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH);
    const numbers = batch.map((_, i) => from + start + i);
    const loaded = await source.read(numbers, batch, signal);
    values.hidden.set(loaded.hidden, start * shape.tokens * shape.width);
    values.global.set(loaded.global, start * shape.d);
    for (const [at, { code }] of loaded.failed) failed.push({ place: start + at, code });
    report(start + batch.length);
  }
  const body = encodeSafetensors({
    hidden: { shape: [rows.length, shape.tokens, shape.width], values: values.hidden },
    global: { shape: [rows.length, shape.d], values: values.global },
  });
  const places = tensorPlaces(body, featuresPieceKey(hash, piece));
  const receipt: FeaturesReceipt = {
    images: rows.length,
    failed: failed.sort((a, b) => a.place - b.place),
    hiddenOffset: places.get('hidden')!.offset,
    globalOffset: places.get('global')!.offset,
    sizeBytes: body.length,
  };
  // The same bytes whichever attempt writes them: the hash names everything that determines them.
  await artifacts.put(featuresPieceKey(hash, piece), body);
  await artifacts.put(featuresReceiptKey(hash, piece), JSON.stringify(receipt), {
    contentType: 'application/json',
  });
  return receipt;
}
