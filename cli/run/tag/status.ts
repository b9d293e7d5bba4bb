import { failedOf } from '../../../data/run/counts.ts';
import type { FailedImage, FailureExamples } from '../../../data/run/atWork/failureSample.ts';
import { readLastFailures } from '../../../data/run/atWork/lastFailures.ts';
import { PHASES, sharesOf, type Phase } from '../../../data/run/atWork/phases.ts';
import { findPendingShards } from '../../../data/run/plan/pending.ts';
import { readPlanIndex } from '../../../data/run/plan/plan.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { StageChild } from '../../../workflows/control/requests.ts';
import { describeGraphStatus, graphStatus, type GraphStatus } from '../graph/status.ts';
import type { TagRunProgress } from './progress.ts';

/** What `status` says of a tag run alone; null where the folder by itself does not tell. */
export interface TagStatus {
  images: number;
  planned: number;
  tagged: number;
  failed: number;
  failuresByCode: Record<string, number>;
  /** Newest first. */
  lastFailures: FailedImage[];
  /** Keys of some of the failures, by code. */
  examples: FailureExamples | null;
  /** Shares of the time that shards were in work. */
  shares: Record<Phase, number> | null;
  /** Shards that workers have in hand. */
  inHand: number | null;
  /** Settings in force. */
  concurrency: number | null;
  maxFailureRate: number | null;
  /** The run that links categories for this one; null where none is at work. */
  child: StageChild;
  /** Where that is. */
  inside: GraphStatus | null;
}

/** What the run's folder says by itself: committed shards only. */
export async function tagStatusOfFolder(output: ObjectStore): Promise<TagStatus> {
  const plan = await readPlanIndex(output);
  const { done } = await findPendingShards(output, 0, plan?.shards ?? 0);
  return {
    ...done,
    failed: failedOf(done),
    planned: plan?.keys ?? 0,
    lastFailures: failedOf(done) === 0 ? [] : await readLastFailures(output),
    ...{ examples: null, shares: null, inHand: null, concurrency: null, maxFailureRate: null },
    ...{ child: null, inside: null },
  };
}

export const tagStatus = (progress: TagRunProgress): TagStatus => ({
  images: progress.imagesDone,
  planned: progress.keys,
  tagged: progress.tagged,
  failed: progress.failed,
  failuresByCode: progress.failuresByCode,
  lastFailures: progress.lastFailures.toReversed(),
  examples: progress.examples,
  shares: sharesOf(progress.phasesMs),
  inHand: progress.inHand,
  concurrency: progress.concurrency,
  maxFailureRate: progress.maxFailureRate,
  child: progress.child,
  inside: progress.inside && graphStatus(progress.inside),
});

const percent = (share: number): string => `${Math.round(100 * share)} %`;

export function describeTagStatus(status: TagStatus): string[] {
  const { images, planned, tagged, failed, shares, inHand, concurrency, maxFailureRate, child } = status;
  return [
    `  images   ${images} of ${planned} done, ${tagged} tagged, ${failed} failed`,
    ...Object.entries(status.failuresByCode).map(([code, count]) => `           ${count} ${code}`),
    ...status.lastFailures.map(
      ({ key, code, message }, i) =>
        `  ${i === 0 ? 'failures' : '        '} ${code} ${JSON.stringify(key)}: ${message}`,
    ),
    ...(concurrency === null || maxFailureRate === null
      ? []
      : [
          `  shards   ${inHand ?? 0} in hand of ${concurrency} at once; pauses above ${percent(maxFailureRate)} failures`,
        ]),
    ...(shares
      ? [`  time     ${PHASES.map((phase) => `${phase} ${percent(shares[phase])}`).join(', ')}`]
      : []),
    ...(child ? [`  at work  ${child.id} in ${child.uri}`] : []),
    ...(status.inside ? describeGraphStatus(status.inside) : []),
  ];
}
