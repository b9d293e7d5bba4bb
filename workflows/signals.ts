import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Counts } from '../data/run/counts.ts';
import type { TrainProgress } from './trainTypes.ts';
import type { TagProgress } from './types.ts';

/** Where a run is: answered by `tagCorpus` and `trainModel` at any time, each with its own progress. */
export const progressQuery = defineQuery<TagProgress>('progress');
export const trainProgressQuery = defineQuery<TrainProgress>('progress');

/** Stop where it costs nothing: a tag run hands out no more shards, a training waits at the end of its round. */
export const pauseSignal = defineSignal('pause');

/** The reason of a pause that a person asked for. */
export const PAUSE_ASKED = 'asked for';

/** Go on after a pause; a new failure rate replaces the old one. Without a rate, one that is not paused ignores it. */
export const resumeSignal = defineSignal<[{ maxFailureRate?: number }]>('resume');

/** From parent to child: start no more shards, or go on. */
export const pauseShardsSignal = defineSignal<[boolean]>('pauseShards');

/** From child to parent: what has been finished since the last report. */
export const shardsDoneSignal = defineSignal<[Counts]>('shardsDone');
