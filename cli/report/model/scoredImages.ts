import { availableParallelism } from 'node:os';
import pMap from 'p-map';
import { splitObjectUri } from '../../../data/dataset/objectUri.ts';
import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import { requireIndex, snapshotPlace } from '../../../data/evaluation/evaluationSnapshots.ts';
import { isFailure } from '../../../data/failure.ts';
import { createDecodePool } from '../../../data/images/decodePool.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../data/images/limits.ts';
import { openStore } from '../../../data/store/open.ts';
import type { DeviceOptions } from '../../../model/onnx/session.ts';
import { createTagger } from '../../../model/tagger.ts';
import type { ExplainedModel } from '../../../workers/explainedModel.ts';
import type { EvaluationPart } from './modelParts.ts';

const BATCH = 16;

/** Test images with their labels and the raw scores of a model. */
export interface ScoredImages {
  rows: SnapshotRow[];
  /** [rows, categories] */
  scores: Float32Array;
  /** Images of the whole test set. */
  of: number;
}

/**
 * The first test images of an evaluation, which are any of them: a snapshot is in an order that says nothing of its images.
 */
export async function testRows(
  { output, record }: EvaluationPart,
  limit: number,
): Promise<{ rows: SnapshotRow[]; of: number }> {
  const place = snapshotPlace(output, record.spec, 'test', openStore)!;
  const { images } = await requireIndex(place);
  return {
    rows: await readSnapshotRows(place.store, place.folder, 0, Math.min(images, limit)),
    of: images,
  };
}

/** The bytes of an image of a snapshot. Throws `Store.*`, also where it has been replaced. */
export async function imageBytes({ uri, etag }: SnapshotRow): Promise<Uint8Array> {
  const { store, key } = splitObjectUri(uri);
  const options = { maxBytes: DEFAULT_IMAGE_LIMITS.maxBytes, ...(etag !== undefined && { ifMatch: etag }) };
  return (await openStore(store).get(key, options)).body;
}

/** Scores images again; those that cannot be read are left out. */
export async function scoreImages(
  { folder, vocabularies: [{ vocabulary }] }: ExplainedModel,
  { rows, of }: { rows: SnapshotRow[]; of: number },
  device: DeviceOptions,
  report: (images: number) => void,
): Promise<ScoredImages> {
  const { preprocess } = folder;
  const side = preprocess.cropSize ** 2 * 3;
  const pool = createDecodePool({
    ...{ processes: Math.min(4, availableParallelism()), preprocess },
    ...DEFAULT_IMAGE_LIMITS,
  });
  const tagger = await createTagger(folder, [vocabulary], device, { batchSize: BATCH, embedding: false });
  const kept: SnapshotRow[] = [];
  const scores = new Float32Array(rows.length * vocabulary.asked);
  try {
    for (let from = 0; from < rows.length; from += tagger.batchSize) {
      const decoded = await pMap(rows.slice(from, from + tagger.batchSize), async (row) => {
        try {
          return { row, pixels: (await pool.decode(await imageBytes(row))).pixels };
        } catch (error) {
          if (isFailure(error, 'Store.') || isFailure(error, 'Image.')) return undefined;
          throw error;
        }
      });
      const readable = decoded.filter((image) => image !== undefined);
      if (readable.length === 0) continue;
      const pixels = new Uint8Array(readable.length * side);
      for (const [i, image] of readable.entries()) pixels.set(image.pixels, i * side);
      scores.set((await tagger.run(pixels)).scores, kept.length * vocabulary.asked);
      kept.push(...readable.map(({ row }) => row));
      report(kept.length);
    }
  } finally {
    await tagger.release();
    await pool.close();
  }
  return { rows: kept, scores: scores.subarray(0, kept.length * vocabulary.asked), of };
}

/** Whether an image's label of a category is known to be present (1) or absent (-1); 0 where it is unknown. */
export function labelsOf({ present, absent }: SnapshotRow, categories: number): Int8Array {
  const labels = new Int8Array(categories).fill(absent === null ? -1 : 0);
  for (const category of absent ?? []) labels[category] = -1;
  for (const category of present) labels[category] = 1;
  return labels;
}
