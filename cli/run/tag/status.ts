import { failedOf } from '../../../data/run/counts.ts';
import { findPendingShards } from '../../../data/run/pending.ts';
import { readPlanIndex } from '../../../data/run/plan.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { TagRunProgress } from './progress.ts';

/** What `status` says of a tag run alone. */
export interface TagStatus {
  images: number;
  planned: number;
  tagged: number;
  failed: number;
  failuresByCode: Record<string, number>;
}

/** What the run's folder says by itself: committed shards only. */
export async function tagStatusOfFolder(output: ObjectStore): Promise<TagStatus> {
  const plan = await readPlanIndex(output);
  const { done } = await findPendingShards(output, 0, plan?.shards ?? 0);
  return { ...done, failed: failedOf(done), planned: plan?.keys ?? 0 };
}

export const tagStatus = (progress: TagRunProgress): TagStatus => ({
  images: progress.imagesDone,
  planned: progress.keys,
  tagged: progress.tagged,
  failed: progress.failed,
  failuresByCode: progress.failuresByCode,
});

export const describeTagStatus = (status: TagStatus): string[] => [
  `  images   ${status.images} of ${status.planned} done, ${status.tagged} tagged, ${status.failed} failed`,
  ...Object.entries(status.failuresByCode).map(([code, count]) => `           ${count} ${code}`),
];
