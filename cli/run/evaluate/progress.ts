import type { WorkflowHandle } from '@temporalio/client';
import type { EvaluateProgress } from '../../../workflows/evaluate/evaluateTypes.ts';
import { evaluateProgressQuery } from '../../../workflows/signals.ts';
import { ask, pendingActivities } from '../pending.ts';
import type { Session } from '../session.ts';

/** Progress of an evaluation as a person wants it. */
export interface EvaluateRunProgress extends EvaluateProgress {
  /** What activities are waiting to try again after, as `Store.Unavailable: ...`. */
  retrying: string[];
}

/** Reads the progress of an evaluation; undefined where no worker answers for it. */
export async function readEvaluateProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<EvaluateRunProgress | undefined> {
  const progress = await ask(handle, evaluateProgressQuery);
  if (!progress) return undefined;
  const { retrying } = await pendingActivities<number>(session, handle.workflowId, 'scoreImages');
  return { ...progress, retrying: [...new Set(retrying)] };
}
