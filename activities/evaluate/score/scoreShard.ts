import { readSnapshotRows } from '../../../data/dataset/snapshot.ts';
import type { SnapshotRow } from '../../../data/dataset/snapshotRow.ts';
import {
  commitScores,
  readScoreReceipt,
  TENSORS,
  type ScoreReceipt,
} from '../../../data/evaluation/scoreParts.ts';
import type { EvaluationSnapshot, System } from '../../../data/evaluation/systems.ts';
import { Failure } from '../../../data/failure.ts';
import type { WritableTensor } from '../../../data/safetensors.ts';
import type { FailedImage } from '../../../data/training/failedImages.ts';
import { topHits } from '../../../model/evaluation/topHits.ts';
import type { OpenEvaluation, Scorer, ScorerGroup } from './openEvaluation.ts';

export interface ScoreShardOptions {
  snapshot: EvaluationSnapshot;
  shard: number;
  /** Unique to this attempt. */
  attempt: string;
  signal: AbortSignal;
  report(images: number): void;
}

/** Scores the images of a shard by every system, unless it has a receipt, and commits it. */
export async function scoreShard(
  evaluation: OpenEvaluation,
  { snapshot, shard, attempt, signal, report }: ScoreShardOptions,
): Promise<{ receipt: ScoreReceipt; reused: boolean }> {
  const { output, prepared, fingerprint } = evaluation;
  const known = await readScoreReceipt(output, snapshot, shard);
  if (known) return { receipt: known, reused: true };
  const { store, folder } = evaluation.place(snapshot);
  const { plan } = prepared;
  const from = shard * plan.shardSize;
  const count = snapshot === 'test' ? plan.images : plan.validationImages;
  const rows = await readSnapshotRows(store, folder, from, Math.min(count, from + plan.shardSize));

  const columns = new Map<System, ShardColumns>();
  const failed = new Map<number, FailedImage>();
  let scored = 0;
  for (const group of evaluation.scorers(snapshot)) {
    for (const { systems } of group.scorers)
      for (const system of systems) columns.set(system, new ShardColumns(rows, evaluation));
    const images = await scoreGroup(rows, group, columns, signal, (done) => report(scored + done));
    scored += rows.length;
    for (const [at, image] of images) failed.set(at, image);
  }

  const kept = [...rows.keys()].filter((at) => !failed.has(at));
  const tensors: Record<string, WritableTensor> = {};
  for (const [system, own] of columns) {
    tensors[TENSORS.scores(system)] = {
      shape: [evaluation.categories, kept.length],
      values: compact(own.scores, rows.length, kept),
    };
    if (snapshot === 'test')
      tensors[TENSORS.hits(system)] = {
        shape: [evaluation.groups.length, evaluation.topK.length, kept.length],
        values: compact(own.hits, rows.length, kept),
      };
  }
  if (snapshot === 'test')
    tensors[TENSORS.positives] = {
      shape: [evaluation.groups.length, kept.length],
      values: compact(positivesOf(rows, evaluation), rows.length, kept),
    };
  const receipt = await commitScores(output, {
    ...{ snapshot, shard, attempt, fingerprint, tensors, images: kept.length },
    failed: [...failed].sort(([a], [b]) => a - b).map(([at, { uri, code }]) => ({ at, uri, code })),
  });
  return { receipt, reused: receipt.attempt !== attempt };
}

/** Scores and hits of one system on a shard; every row is a category or a K, every column an image. */
class ShardColumns {
  /** [C, n] */
  readonly scores: Float32Array;
  /** [groups, K, n] */
  readonly hits: Float32Array;
  private readonly rows: readonly SnapshotRow[];
  private readonly evaluation: OpenEvaluation;

  constructor(rows: readonly SnapshotRow[], evaluation: OpenEvaluation) {
    const { categories, groups, topK } = evaluation;
    this.rows = rows;
    this.evaluation = evaluation;
    this.scores = new Float32Array(categories * rows.length);
    this.hits = new Float32Array(groups.length * topK.length * rows.length);
  }

  /** @param own [C] of the image at this position. @throws Failure `Metrics.NotFinite` */
  add(at: number, own: Float32Array): void {
    const { groups, topK } = this.evaluation;
    const images = this.rows.length;
    for (let c = 0; c < own.length; c++) {
      if (!Number.isFinite(own[c]))
        throw new Failure('Metrics.NotFinite', `A score of ${this.rows[at]!.uri} is ${own[c]!}.`, {
          subject: this.rows[at]!.uri,
          hint: 'The model gave it: look for weights that are not finite.',
        });
      this.scores[c * images + at] = own[c]!;
    }
    const present = new Set(this.rows[at]!.present);
    groups.forEach((group, g) =>
      topHits(own, present, group, topK).forEach((hits, k) => {
        this.hits[(g * topK.length + k) * images + at] = hits;
      }),
    );
  }
}

/** Decodes images once for scorers that take the same pixels, the next batch while one is scored. Returns what failed. */
async function scoreGroup(
  rows: readonly SnapshotRow[],
  { loader, imageBytes, scorers }: ScorerGroup,
  columns: ReadonlyMap<System, ShardColumns>,
  signal: AbortSignal,
  report: (images: number) => void,
): Promise<Map<number, FailedImage>> {
  const failed = new Map<number, FailedImage>();
  const batch = Math.max(...scorers.map(({ tagger }) => tagger.batchSize));
  const load = (from: number) => {
    const loading = loader(rows.slice(from, from + batch), signal);
    // It is awaited after the batch before it, which may fail first.
    loading.catch(() => undefined);
    return loading;
  };
  let next = load(0);
  for (let from = 0; from < rows.length; from += batch) {
    signal.throwIfAborted();
    const images = await next;
    if (from + batch < rows.length) next = load(from + batch);
    for (const [at, image] of images.failed) failed.set(from + at, image);
    for (const scorer of scorers)
      await scoreBatch(images.pixels, imageBytes, scorer, (at, system, own) => {
        if (!images.failed.has(at)) columns.get(system)!.add(from + at, own);
      });
    report(Math.min(rows.length, from + batch));
  }
  return failed;
}

/** Scores pixels in runs as large as the scorer takes, and hands each image's scores of each system on. */
async function scoreBatch(
  pixels: Uint8Array,
  imageBytes: number,
  { systems, tagger }: Scorer,
  add: (at: number, system: System, scores: Float32Array) => void,
): Promise<void> {
  const images = pixels.length / imageBytes;
  for (let from = 0; from < images; from += tagger.batchSize) {
    const to = Math.min(images, from + tagger.batchSize);
    // A run takes its pixels away, and other scorers need them too.
    const { scores } = await tagger.run(pixels.slice(from * imageBytes, to * imageBytes));
    const categories = scores.length / ((to - from) * systems.length);
    for (let i = 0; i < to - from; i++)
      for (const [s, system] of systems.entries()) {
        const start = (i * systems.length + s) * categories;
        add(from + i, system, scores.subarray(start, start + categories));
      }
  }
}

/** [groups, n] labels of the group that each image has. */
function positivesOf(rows: readonly SnapshotRow[], { groups }: OpenEvaluation): Float32Array {
  const counts = groups.flatMap(({ categories }) => {
    const members = new Set(categories);
    return rows.map(({ present }) => present.filter((category) => members.has(category)).length);
  });
  return Float32Array.from(counts);
}

/** The columns in `kept` of a matrix with `width` columns. */
function compact(values: Float32Array, width: number, kept: readonly number[]): Float32Array {
  if (kept.length === width) return values;
  const rows = values.length / width;
  const result = new Float32Array(rows * kept.length);
  for (let row = 0; row < rows; row++)
    for (const [i, at] of kept.entries()) result[row * kept.length + i] = values[row * width + at]!;
  return result;
}
