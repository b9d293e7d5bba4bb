import type { WorkflowHandle } from '@temporalio/client';
import { retrainProgressQuery } from '../../../workflows/signals.ts';
import type { RetrainProgress } from '../../../workflows/retrain/retrainTypes.ts';
import { ask, pendingActivities } from '../pending.ts';
import type { LiveProgress } from '../runView.ts';
import type { Session } from '../session.ts';
import { STAGE_VIEWS } from './stageViews.ts';

/** Progress of a retraining as a person wants it, with that of the run that makes the stage's artifact. */
export interface RetrainRunProgress extends RetrainProgress {
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  retrying: string[];
  /** What the view of `child` shows; null where none is at work or nobody answers for it. */
  inside: LiveProgress | null;
}

/** Reads the progress of a retraining; undefined where no worker answers for it. */
export async function readRetrainProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<RetrainRunProgress | undefined> {
  const progress = await ask(handle, retrainProgressQuery);
  if (!progress) return undefined;
  const { retrying } = await pendingActivities(session, handle.workflowId, '');
  const { child } = progress;
  const inside = child
    ? await STAGE_VIEWS[child.kind].readProgress(session, session.client.workflow.getHandle(child.id))
    : undefined;
  return {
    ...progress,
    imagesPerSecond: inside?.imagesPerSecond ?? null,
    etaSeconds: inside?.etaSeconds ?? null,
    paused: progress.paused ?? inside?.paused ?? null,
    retrying: [...new Set([...retrying, ...(inside?.retrying ?? [])])],
    inside: inside ?? null,
  };
}
