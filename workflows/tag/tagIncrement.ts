import {
  ApplicationFailure,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { listedAs } from '../control/announce.ts';
import type { IncrementActivities, TagIncrementInput, TagIncrementResult } from './incrementTypes.ts';
import { accounting, listing } from '../profiles.ts';
import { atWorkSignal } from '../signals.ts';
import { tagCorpus } from './tagCorpus.ts';
import type { CorpusActivities } from './tagTypes.ts';

/**
 * Adds a run to a chain (docs/schedules.md): what is new or changed since the newest finished run is tagged. A run that
 * was left unfinished, as by a night's failure, is gone on with first. Where another workflow is at work on the chain
 * this one fails with `Schedule.Overlap` and has changed nothing.
 */
export async function tagIncrement({
  out,
  request,
  controls,
}: TagIncrementInput): Promise<TagIncrementResult> {
  const { heartbeatTimeoutS } = controls;
  const lister = proxyActivities<CorpusActivities>(listing(heartbeatTimeoutS));
  const chain = proxyActivities<IncrementActivities>(accounting(heartbeatTimeoutS));
  setHandler(atWorkSignal, () => undefined);
  const { workflowId: by, firstExecutionRunId: execution } = workflowInfo();
  const ask = { out, request, by, execution };

  const next = async () => {
    const increment = await chain.nextIncrement(ask);
    if (increment.heldBy === null) return increment;
    const { heldBy, run } = increment;
    if (await isAtWork(heldBy)) throw overlap(run, heldBy);
    const taken = await chain.nextIncrement({ ...ask, takeOver: heldBy });
    if (taken.heldBy !== null) throw overlap(taken.run, taken.heldBy);
    return taken;
  };

  for (;;) {
    const { run, id, since, isNew } = await next();
    const { keys } = await lister.planCorpus({ output: run });
    if (since !== null && keys === 0 && (await chain.dropUnchanged({ out, run }))) {
      if (!isNew) continue;
      return { state: 'unchanged', output: since, images: 0, tagged: 0 };
    }
    const { images, tagged } = await tag(run, id, controls);
    if (isNew) return { state: 'tagged', output: run, images, tagged };
  }
}

async function tag(run: string, id: string, controls: TagIncrementInput['controls']) {
  try {
    return await executeChild(tagCorpus, {
      workflowId: id,
      args: [{ output: run, controls }],
      ...listedAs('tag', run),
    });
  } catch (error) {
    // Somebody resumed it.
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw overlap(run, id);
    throw error;
  }
}

/** Whether a workflow runs, found out by a signal that only a running one takes. */
async function isAtWork(workflowId: string): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(atWorkSignal);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}

function overlap(run: string, by: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Schedule.Overlap',
    message: `${by} is at work on ${run}, the newest run of the chain.`,
    nonRetryable: true,
    details: [{ hint: 'The next run goes on from that one once it has finished.' }],
  });
}
