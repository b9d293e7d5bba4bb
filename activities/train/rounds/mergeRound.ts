import { Failure } from '../../../data/failure.ts';
import { ROUNDS, roundOfKey } from '../../../data/training/trainLayout.ts';
import { mergeFailed } from '../../../data/training/failedImages.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { outerStep, type OuterSettings } from '../../../model/train/outerStep.ts';
import type { Parameters } from '../../../model/train/parameters.ts';
import {
  commitMerged,
  readMerged,
  readMergeReceipt,
  readShardReceipt,
  readShardState,
  type MergeReceipt,
} from './roundStates.ts';

/** Merges what the shards of a round ended with (model/train/outerStep.ts). A round that has a receipt is not merged again. */
export async function mergeRound(
  output: ObjectStore,
  round: number,
  shards: number,
  settings: OuterSettings,
  attempt: string,
): Promise<MergeReceipt> {
  const known = await readMergeReceipt(output, round);
  if (known) return known;
  const receipts = await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const receipt = await readShardReceipt(output, round, shard);
      if (receipt) return receipt;
      throw new Failure('Run.Incomplete', `Shard ${shard} of round ${round} has not ended.`, {
        subject: output.uri,
      });
    }),
  );
  const start = await readMerged(output, round - 1);
  const ends: Parameters[] = [];
  for (let shard = 0; shard < shards; shard++)
    ends.push((await readShardState(output, round, shard)).parameters);
  const momentum = new Map<string, Float64Array>();
  const parameters: Parameters = new Map();
  for (const [name, { shape, values }] of start.parameters) {
    const own = start.momentum.get(name) ?? new Float64Array(values.length);
    const merged = outerStep(
      values,
      ends.map((end) => end.get(name)!.values),
      own,
      settings,
    );
    parameters.set(name, { shape, values: merged });
    if (settings.outerMomentum > 0) momentum.set(name, own);
  }
  const sum = (pick: (receipt: (typeof receipts)[number]) => number): number =>
    receipts.reduce((total, receipt) => total + pick(receipt), 0);
  const losses = Object.keys(receipts[0]!.losses).map((name) => [
    name,
    sum((receipt) => receipt.losses[name] ?? 0) / shards,
  ]);
  return commitMerged(
    output,
    attempt,
    { parameters, momentum },
    {
      round,
      images: sum(({ images }) => images),
      failed: sum(({ failed }) => failed),
      unread: mergeFailed(receipts.map(({ unread }) => unread)),
      loss: sum(({ loss }) => loss) / shards,
      losses: Object.fromEntries(losses) as Record<string, number>,
      seconds: Math.max(...receipts.map(({ seconds }) => seconds)),
    },
  );
}

/**
 * Deletes states that no later round needs: of rounds before `round`, except the merged parameters of `best`. Receipts
 * stay: they are the run's history.
 */
export async function sweepRounds(output: ObjectStore, round: number, best: number): Promise<void> {
  const kept = best === 0 ? undefined : (await readMergeReceipt(output, best))?.state;
  const swept: string[] = [];
  for await (const { key } of output.list({ prefix: ROUNDS })) {
    const of = roundOfKey(key);
    if (of !== undefined && of < round && key.endsWith('.safetensors') && key !== kept) swept.push(key);
  }
  if (swept.length > 0) await output.delete(swept);
}
