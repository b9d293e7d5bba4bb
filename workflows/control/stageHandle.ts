import { getExternalWorkflowHandle, type SignalDefinition } from '@temporalio/workflow';
import type { StageChild } from './requests.ts';

/** The run that does a stage of this one, while it is at work. */
export class StageHandle {
  child: StageChild = null;
  /** Whether it was started by this run, which then tells it what it is told itself. */
  isOwn = false;

  attach(child: StageChild, isOwn: boolean): void {
    Object.assign(this, { child, isOwn });
  }

  async tell<Args extends [unknown]>(signal: SignalDefinition<Args>, ...args: Args): Promise<void> {
    if (this.child === null || !this.isOwn) return;
    // One that has just ended needs no telling.
    await getExternalWorkflowHandle(this.child.id)
      .signal(signal, ...args)
      .catch(() => undefined);
  }
}
