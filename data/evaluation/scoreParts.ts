/**
 * Scores of a shard of images by every system, category by category: those of a range of categories are one piece of each
 * part, so that figures of thousands of categories on a hundred thousand images are computed a block at a time.
 */
import pMap from 'p-map';
import { z } from 'zod';
import { encodeSafetensors, tensorPlaces, type WritableTensor } from '../safetensors.ts';
import { putJsonOnce, readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { Failure } from '../failure.ts';
import { scoreReceiptKey, SCORES, scoresKey } from './evaluateLayout.ts';
import type { EvaluationSnapshot, System } from './systems.ts';

/** Ranges or receipts read at once: latency is what there is to hide. */
const CONCURRENCY = 16;

const receiptSchema = z.object({
  snapshot: z.enum(['test', 'validation']),
  shard: z.int().nonnegative(),
  /** The attempt whose part counts. */
  attempt: z.string(),
  /** Images that were scored: the others of the shard failed. */
  images: z.int().nonnegative(),
  failed: z.array(z.object({ at: z.int().nonnegative(), uri: z.string(), code: z.string() })),
  /** First byte in the part, and bytes, by tensor. */
  tensors: z.record(z.string(), z.object({ offset: z.int(), sizeBytes: z.int() })),
  /** What computed the scores. */
  fingerprint: z.record(z.string(), z.string()),
});

export type ScoreReceipt = z.infer<typeof receiptSchema>;

/** Names of a part's tensors. */
export const TENSORS = {
  /** float32 [C, n] */
  scores: (system: System) => `scores.${system}`,
  /** float32 [groups, K, n]: how many of an image's K highest scores are present. */
  hits: (system: System) => `hits.${system}`,
  /** float32 [groups, n]: labels that an image has. */
  positives: 'positives',
} as const;

/** The tensors of a shard and what there is to say of them. */
export interface ShardScores extends Pick<
  ScoreReceipt,
  'snapshot' | 'shard' | 'attempt' | 'images' | 'failed'
> {
  tensors: Readonly<Record<string, WritableTensor>>;
  fingerprint: Readonly<Record<string, string>>;
}

/** Writes a part and, if no attempt was first, its receipt; returns the receipt that counts. */
export async function commitScores(
  output: ObjectStore,
  { tensors, fingerprint, ...shard }: ShardScores,
): Promise<ScoreReceipt> {
  const key = scoresKey(shard.snapshot, shard.shard, shard.attempt);
  const body = encodeSafetensors(tensors);
  await output.put(key, body);
  const places = [...tensorPlaces(body, key)].map(([name, { offset, sizeBytes }]) => [
    name,
    { offset, sizeBytes },
  ]);
  const receipt: ScoreReceipt = {
    ...shard,
    tensors: Object.fromEntries(places) as ScoreReceipt['tensors'],
    fingerprint: { ...fingerprint },
  };
  return putJsonOnce(output, scoreReceiptKey(shard.snapshot, shard.shard), receipt, () =>
    readScoreReceipt(output, shard.snapshot, shard.shard),
  );
}

export async function readScoreReceipt(
  output: ObjectStore,
  snapshot: EvaluationSnapshot,
  shard: number,
): Promise<ScoreReceipt | undefined> {
  return receiptSchema.optional().parse(await readJsonIfThere(output, scoreReceiptKey(snapshot, shard)));
}

/** How many shards of all snapshots are scored. */
export async function readScoredShards(output: ObjectStore): Promise<number> {
  let shards = 0;
  for await (const { key } of output.list({ prefix: SCORES })) if (key.endsWith('.json')) shards++;
  return shards;
}

/** The scored images of a snapshot: those of its shards one after another, without the ones that failed. */
export interface ScoredImages {
  receipts: readonly ScoreReceipt[];
  /** N */
  images: number;
  failed: { uri: string; code: string }[];
  /** Positions in the snapshot of those that failed. */
  missing: ReadonlySet<number>;
}

/** Throws `Run.Incomplete` where a shard has no receipt. */
export async function readScoredImages(
  output: ObjectStore,
  snapshot: EvaluationSnapshot,
  { shards, shardSize }: { shards: number; shardSize: number },
): Promise<ScoredImages> {
  const receipts = await pMap(
    Array(shards).keys(),
    async (shard) => {
      const receipt = await readScoreReceipt(output, snapshot, shard);
      if (receipt) return receipt;
      const subject = output.describeKey(scoreReceiptKey(snapshot, shard));
      throw new Failure('Run.Incomplete', `${subject} is not there: shard ${shard} has not been scored.`, {
        subject,
        retryable: true,
      });
    },
    { concurrency: CONCURRENCY },
  );
  return {
    receipts,
    images: receipts.reduce((sum, { images }) => sum + images, 0),
    failed: receipts.flatMap(({ failed }) => failed.map(({ uri, code }) => ({ uri, code }))),
    missing: new Set(receipts.flatMap(({ shard, failed }) => failed.map(({ at }) => shard * shardSize + at))),
  };
}

/**
 * Rows [from, to) of a tensor whose last axis are images, of all shards side by side: [to - from, N] into `into`.
 * `report` is told after each shard.
 */
export async function readRows(
  output: ObjectStore,
  { receipts, images }: ScoredImages,
  tensor: string,
  [from, to]: readonly [number, number],
  into: Float32Array,
  report?: () => void,
): Promise<void> {
  const starts: number[] = [];
  receipts.reduce((start, receipt) => (starts.push(start), start + receipt.images), 0);
  await pMap(
    receipts,
    async ({ snapshot, shard, attempt, images: own, tensors }) => {
      if (own === 0) return;
      const { offset } = tensors[tensor]!;
      const range = { start: offset + 4 * from * own, end: offset + 4 * to * own };
      const { body } = await output.get(scoresKey(snapshot, shard, attempt), { range });
      // A copy is aligned to float32, which the body may not be.
      const values = new Float32Array(Uint8Array.from(body).buffer);
      for (let row = 0; row < to - from; row++)
        into.set(values.subarray(row * own, (row + 1) * own), row * images + starts[shard]!);
      report?.();
    },
    { concurrency: CONCURRENCY },
  );
}
