import type { WorkflowHandle } from '@temporalio/client';
import { QUEUES } from '../../../workflows/queues.ts';
import type { AskProgress, GraphProgress } from '../../../workflows/graph/graphTypes.ts';
import { graphProgressQuery } from '../../../workflows/signals.ts';
import { ask, isPolled, pendingActivities } from '../pending.ts';
import type { Session } from '../session.ts';

/** Progress of a graph as a person wants it: what batches at work have answered is in `callsDone`. */
export interface GraphRunProgress extends GraphProgress {
  imagesPerSecond: null;
  /** What activities are waiting to try again after, as `Llm.RateLimit: ...`. */
  retrying: string[];
  /** Queues that the run waits for and that no worker polls. */
  unpolled: string[];
}

/** Reads the progress of a graph; undefined where no worker answers for it. */
export async function readGraphProgress(
  session: Session,
  handle: WorkflowHandle,
): Promise<GraphRunProgress | undefined> {
  const progress = await ask(handle, graphProgressQuery);
  if (!progress) return undefined;
  const { atWork, retrying } = await pendingActivities<AskProgress>(
    session,
    handle.workflowId,
    'askCategories',
  );
  const inHand = atWork.reduce((sum, { answered }) => sum + answered, 0);
  const queue = progress.stage === 'plan' ? QUEUES.gpu : progress.stage === 'ask' ? QUEUES.llm : undefined;
  return {
    ...progress,
    callsDone: Math.min(progress.calls, progress.callsDone + inHand),
    imagesPerSecond: null,
    retrying: [...new Set(retrying)],
    unpolled: queue === undefined || (await isPolled(session, queue)) ? [] : [queue],
  };
}
