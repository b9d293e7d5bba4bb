import { requireRun } from '../../../data/run/requireRun.ts';
import { readStageReceipts } from '../../../data/retrain/stageReceipt.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { WAITS_FOR_APPROVAL } from '../../../workflows/signals.ts';
import type { StageEnd } from '../../../workflows/retrainTypes.ts';
import type { RetrainRunProgress } from './progress.ts';
import { stageLine } from './texts.ts';

/** What `status` says of a retraining alone. */
export interface RetrainStatus {
  /** Stages that are over. */
  stages: StageEnd[];
  /** The run that does the stage at work; null where none is. */
  child: RetrainRunProgress['child'];
  pausing: boolean;
  /** Whether a person is asked about the candidate. */
  isWaitingForApproval: boolean;
}

/** What the run's folder says by itself. */
export async function retrainStatusOfFolder(output: ObjectStore): Promise<RetrainStatus> {
  const stages = (await readStageReceipts(output)).map(({ endedAt: _, ...end }) => end);
  const last = stages.at(-1);
  const record = await requireRun(output);
  const asks =
    record.kind === 'retrain' &&
    record.spec.approvalHours !== null &&
    last?.stage === 'gate' &&
    last.summary === 'passed';
  return { stages, child: null, pausing: false, isWaitingForApproval: asks };
}

export const retrainStatus = ({ ended, child, pausing, paused }: RetrainRunProgress): RetrainStatus => ({
  stages: ended,
  child,
  pausing,
  isWaitingForApproval: paused === WAITS_FOR_APPROVAL,
});

export const describeRetrainStatus = ({
  stages,
  child,
  pausing,
  isWaitingForApproval,
}: RetrainStatus): string[] => [
  ...stages.map((end) => `  stage    ${stageLine(end)}`),
  ...(child ? [`  at work  ${child.id} in ${child.uri}`] : []),
  ...(isWaitingForApproval
    ? ['  asks     whether to publish the candidate: `c2srt approve` or `c2srt reject`']
    : []),
  ...(pausing ? ['  pausing  when this stage is over'] : []),
];
