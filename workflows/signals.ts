import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Counts } from '../data/run/counts.ts';
import type { TagProgress } from './types.ts';

/** Where a run is: answered by `tagCorpus` at any time. */
export const progressQuery = defineQuery<TagProgress>('progress');

/** Go on after a pause; a new failure rate replaces the old one. Without a rate, one that is not paused ignores it. */
export const resumeSignal = defineSignal<[{ maxFailureRate?: number }]>('resume');

/** From parent to child: start no more shards, or go on. */
export const pauseShardsSignal = defineSignal<[boolean]>('pauseShards');

/** From child to parent: what has been finished since the last report. */
export const shardsDoneSignal = defineSignal<[Counts]>('shardsDone');
