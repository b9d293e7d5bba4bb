import type { WorkflowHandle } from '@temporalio/client';
import type { Settings } from '../../data/config/schema.ts';
import type { ControlChange } from '../../data/run/atWork/controls.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { ProgressDisplay } from './progressDisplay.ts';
import type { RunReference } from './runReference.ts';
import type { Session } from './session.ts';

/** What the progress of every kind of run says. */
export interface LiveProgress {
  stage: string;
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  /** Why the run waits; null where it does not. */
  paused: string | null;
  /** What activities are waiting to try again after. */
  retrying: string[];
}

/** A kind of run as commands see it: what is its own of launching, following and looking at it. */
export interface RunView<
  Progress extends LiveProgress = LiveProgress,
  Status extends object = object,
  Result = unknown,
> {
  /** The type of its workflow, and that one's input. */
  readonly workflow: string;
  input(output: string, settings: Settings): object;
  /** What happens first to what is in hand when the run is cancelled; the end of a sentence. */
  readonly inHand: string;
  /** What workers have in hand of it, one and several of them. */
  readonly pieces: readonly [string, string];
  /** Where a pause begins that cannot begin at once; the end of a sentence. */
  readonly pausesAt: string;
  /** Which settings can be changed while it is at work. */
  readonly settable: readonly (keyof ControlChange)[];
  /** The command by which a run in this folder goes on after a pause for this reason. */
  goOn(output: string, paused: string): string;
  /** Undefined where no worker answers for the run. */
  readProgress(session: Session, handle: WorkflowHandle): Promise<Progress | undefined>;
  createDisplay(): ProgressDisplay<Progress>;
  /** Prints what a finished run has come to, and returns the command's exit code. */
  report(run: RunReference, result: Result, seconds: number, json: boolean): number;
  /** What `status` says of this kind alone: from the folder by itself, or from the workflow's answer; and in lines. */
  folderStatus(output: ObjectStore): Promise<Status>;
  status(progress: Progress): Status;
  describe(status: Status): string[];
}
