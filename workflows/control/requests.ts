/**
 * What a person may ask of a run at work: updates, which are answered once they hold. Each is a signal too, for what a
 * run asks of the run that does its stage, and for servers where no worker answers at the moment: a signal waits for one.
 */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ControlChange } from '../../data/run/atWork/controls.ts';

/** Who asks. */
export interface Asked {
  /** Of this request: whatever way it comes, and however often, it is taken once. */
  id: string;
  by: string;
}

/** What of a request is settings. */
export const changeOf = ({ concurrency, maxFailureRate }: ControlChange): ControlChange => ({
  ...(concurrency !== undefined && { concurrency }),
  ...(maxFailureRate !== undefined && { maxFailureRate }),
});

/** What of {@link ControlChange} a run has, and the values in force. */
export type ControlsInForce = Required<Record<keyof ControlChange, number | null>>;

/** The run that does a stage of another one; null where none does. */
export type StageChild = { id: string; uri: string; kind: 'graph' | 'train' | 'evaluate' | 'tag' } | null;

export interface PauseAnswer {
  /** Whether nothing new is started from now on; else that is so at the end of the round or stage at work. */
  isPaused: boolean;
  /** Pieces of work that workers have in hand: they end first. */
  inHand: number;
  /** Told to pause as well. */
  child: StageChild;
}

export interface ResumeAnswer {
  /** Why it had paused, or was about to; null where it had not. */
  wasPaused: string | null;
  child: StageChild;
}

export interface CancelAnswer {
  inHand: number;
}

/** Stop where it costs nothing: a tag run hands out no more shards, a training waits at the end of its round. */
export const pauseUpdate = defineUpdate<PauseAnswer, [Asked]>('pause');
export const pauseSignal = defineSignal<[Asked]>('pause');

/** Go on after a pause. */
export const resumeUpdate = defineUpdate<ResumeAnswer, [Asked & ControlChange]>('resume');
export const resumeSignal = defineSignal<[Asked & ControlChange]>('resume');

/** Work on with other settings from now on. */
export const setUpdate = defineUpdate<ControlsInForce, [Asked & ControlChange]>('set');
export const setSignal = defineSignal<[Asked & ControlChange]>('set');

/** A cancellation follows: says who is behind it, and what is in hand. Temporal's own request is what cancels. */
export const cancelUpdate = defineUpdate<CancelAnswer, [Asked]>('cancel');

/** The reason of a pause that a person asked for. */
export const PAUSE_ASKED = 'asked for';
