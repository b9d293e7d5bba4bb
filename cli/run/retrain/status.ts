import { requireRun } from '../../../data/run/requireRun.ts';
import { readDecision, readStageReceipts, type Decision } from '../../../data/retrain/stageReceipt.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import { WAITS_FOR_APPROVAL } from '../../../workflows/signals.ts';
import type { StageEnd } from '../../../workflows/retrain/retrainTypes.ts';
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
  /** What a person has said of it; null where the run has gone on with that, or nobody has said anything. */
  decision: Decision | null;
}

/** What the run's folder says by itself. */
export async function retrainStatusOfFolder(output: ObjectStore): Promise<RetrainStatus> {
  const stages = (await readStageReceipts(output)).map(({ endedAt: _, ...end }) => end);
  const last = stages.at(-1);
  const evaluation = stages.find(({ stage }) => stage === 'evaluate')?.artifact ?? null;
  const record = await requireRun(output);
  const asks =
    record.kind === 'retrain' &&
    record.spec.approvalHours !== null &&
    last?.stage === 'gate' &&
    last.summary === 'passed';
  const decision = asks && evaluation !== null ? await readDecision(output, evaluation) : undefined;
  return {
    stages,
    child: null,
    pausing: false,
    isWaitingForApproval: asks && !decision,
    decision: decision ?? null,
  };
}

export const retrainStatus = ({ ended, child, pausing, paused }: RetrainRunProgress): RetrainStatus => ({
  stages: ended,
  child,
  pausing,
  isWaitingForApproval: paused === WAITS_FOR_APPROVAL,
  decision: null,
});

export const describeRetrainStatus = ({
  stages,
  child,
  pausing,
  isWaitingForApproval,
  decision,
}: RetrainStatus): string[] => [
  ...stages.map((end) => `  stage    ${stageLine(end)}`),
  ...(child ? [`  at work  ${child.id} in ${child.uri}`] : []),
  ...(isWaitingForApproval
    ? ['  asks     whether to publish the candidate: `c2srt approve` or `c2srt reject`']
    : []),
  ...(decision
    ? [
        `  decided  ${decision.approved ? 'approved' : 'rejected'} by ${decision.by}: it has yet to go on with that`,
      ]
    : []),
  ...(pausing ? ['  pausing  when this stage is over'] : []),
];
