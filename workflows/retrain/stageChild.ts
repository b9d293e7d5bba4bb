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
import type { StageRun } from './retrainTypes.ts';

/** Between two looks at a run that another one has started: from a second to a minute. */
const FIRST_LOOK_MS = 1_000;
const LONGEST_LOOK_MS = 60_000;

export interface StageChildOptions<Input> {
  run: StageRun;
  /** The type of its workflow, and its input. */
  workflow: string;
  input: Input;
  /** Told the child while it is at work, and undefined when it no longer is. */
  attach(child: ChildWorkflowHandle<Workflow> | undefined): void;
  /** Told that the run was started by another workflow. */
  waitForOther(isWaiting: boolean): void;
  /** Whether the run has finished. */
  isFinished(): Promise<boolean>;
}

/**
 * Has the run that makes a stage's artifact done. A run's id is that of its folder, so two pipelines that need the same
 * artifact at the same time make it once: the second waits for the first one's run, and takes over where that fails.
 * Returns whether it was made here.
 */
export async function runStage<Input>(options: StageChildOptions<Input>): Promise<'done' | 'reused'> {
  const { run, workflow, input, attach, waitForOther, isFinished } = options;
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(2 * lookMs, LONGEST_LOOK_MS)) {
    let child: ChildWorkflowHandle<Workflow>;
    try {
      child = await startChild(workflow, {
        workflowId: run.id,
        args: [input],
        memo: { output: run.uri },
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      });
    } catch (error) {
      if (isCancellation(error) || !(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      waitForOther(true);
      await sleep(lookMs);
      if (await isFinished()) return 'reused';
      continue;
    }
    waitForOther(false);
    attach(child);
    try {
      await child.result();
      return 'done';
    } finally {
      attach(undefined);
    }
  }
}
