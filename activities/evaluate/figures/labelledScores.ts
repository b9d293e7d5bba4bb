import { snapshotPlace, snapshotRows } from '../../../data/evaluation/evaluationSnapshots.ts';
import type { EvaluateSpec } from '../../../data/evaluation/evaluateSpec.ts';
import {
  readRows,
  readScoredImages,
  TENSORS,
  type ScoredImages,
} from '../../../data/evaluation/scoreParts.ts';
import type { EvaluationSnapshot, System } from '../../../data/evaluation/systems.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { LabelTableBuilder, type LabelTable } from '../../../model/evaluation/labelTable.ts';
import { requirePrepared, shardsOf } from '../prepare/prepared.ts';

/** Scores of one system that are in memory at a time. */
const BLOCK_BYTES = 64 * 2 ** 20;

/** The scored images of a snapshot with their labels; scores are read a block of categories at a time. */
export interface LabelledScores {
  scored: ScoredImages;
  labels: LabelTable;
  /** Hands over the scores [N] and labels [N] of categories [from, to) of a system, one after another; both are used again. */
  eachCategory(
    system: System,
    from: number,
    to: number,
    use: (category: number, scores: Float32Array, labels: Int8Array) => Promise<void>,
  ): Promise<void>;
}

/** Opens the scores of a snapshot; every shard must have a receipt. Throws `Run.Incomplete`. */
export async function openLabelledScores(
  output: ObjectStore,
  spec: EvaluateSpec,
  snapshot: EvaluationSnapshot,
  categories: number,
  { openStore, signal }: { openStore(uri: string): ObjectStore; signal: AbortSignal },
): Promise<LabelledScores> {
  const { plan } = await requirePrepared(output);
  const scored = await readScoredImages(output, snapshot, shardsOf(plan, snapshot));
  const builder = new LabelTableBuilder(categories);
  let position = 0;
  for await (const row of snapshotRows(snapshotPlace(output, spec, snapshot, openStore)!, signal))
    if (!scored.missing.has(position++)) builder.add(row);
  const labels = builder.build();
  const { images } = scored;
  const blockCategories = Math.max(1, Math.floor(BLOCK_BYTES / (4 * Math.max(1, images))));
  return {
    scored,
    labels,
    async eachCategory(system, from, to, use) {
      const block = new Float32Array(Math.min(to - from, blockCategories) * images);
      const column = new Int8Array(images);
      for (let start = from; start < to; start += blockCategories) {
        signal.throwIfAborted();
        const end = Math.min(to, start + blockCategories);
        await readRows(output, scored, TENSORS.scores(system), [start, end], block);
        for (let category = start; category < end; category++) {
          labels.column(category, column);
          const at = (category - start) * images;
          await use(category, block.subarray(at, at + images), column);
        }
      }
    },
  };
}
