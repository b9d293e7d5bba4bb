import {
  ChildWorkflowCancellationType,
  isCancellation,
  ParentClosePolicy,
  sleep,
  startChild,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { listedAs } from '../control/announce.ts';
import type { StageHandle } from '../control/stageHandle.ts';
import type { StageRun } from './retrainTypes.ts';

/** Between two looks at a run that another one has started: from a second to a minute. */
const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 60_000;

/** Workflows by the kind of run that they do. */
const WORKFLOWS = {
  graph: 'buildGraph',
  train: 'trainModel',
  evaluate: 'evaluateModel',
  tag: 'tagCorpus',
} as const;

export interface StageChildOptions<Input> {
  run: StageRun;
  kind: keyof typeof WORKFLOWS;
  input: Input;
  /** Has the run while it is at work. */
  handle: StageHandle;
  /** Whether the run has finished. */
  isFinished(): Promise<boolean>;
}

/**
 * Has the run that makes a stage's artifact done. A run's id is that of its folder, so two pipelines that need the same
 * artifact at the same time make it once: the second waits for the first one's run, and takes over where that fails.
 * Returns whether it was made here.
 */
export async function runStage<Input>(options: StageChildOptions<Input>): Promise<'done' | 'reused'> {
  const { run, kind, input, handle, isFinished } = options;
  const stageChild = { id: run.id, uri: run.uri, kind };
  try {
    for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(2 * lookMs, LONGEST_LOOK_MS)) {
      let child: ChildWorkflowHandle<Workflow>;
      try {
        child = await startChild(WORKFLOWS[kind], {
          workflowId: run.id,
          args: [input],
          ...listedAs(kind, run.uri),
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        });
      } catch (error) {
        if (isCancellation(error) || !(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        handle.attach(stageChild, false);
        await sleep(lookMs);
        if (await isFinished()) return 'reused';
        continue;
      }
      handle.attach(stageChild, true);
      await child.result();
      return 'done';
    }
  } finally {
    handle.attach(null, false);
  }
}
