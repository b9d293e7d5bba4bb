import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Counts } from '../data/run/counts.ts';
import type { GraphProgress } from './graph/graphTypes.ts';
import type { EvaluateProgress } from './evaluate/evaluateTypes.ts';
import type { RetrainProgress } from './retrain/retrainTypes.ts';
import type { TrainProgress } from './train/trainTypes.ts';
import type { TagProgress } from './tag/tagTypes.ts';

/** Where a run is: answered by `tagCorpus` and `trainModel` at any time, each with its own progress. */
export const progressQuery = defineQuery<TagProgress>('progress');
export const trainProgressQuery = defineQuery<TrainProgress>('progress');
export const evaluateProgressQuery = defineQuery<EvaluateProgress>('progress');
export const retrainProgressQuery = defineQuery<RetrainProgress>('progress');
export const graphProgressQuery = defineQuery<GraphProgress>('progress');

/** Stop where it costs nothing: a tag run hands out no more shards, a training waits at the end of its round. */
export const pauseSignal = defineSignal('pause');

/** The reason of a pause that a person asked for. */
export const PAUSE_ASKED = 'asked for';

/** Go on after a pause; a new failure rate replaces the old one. Without a rate, one that is not paused ignores it. */
export const resumeSignal = defineSignal<[{ maxFailureRate?: number }]>('resume');

/** A retraining's candidate was approved or rejected: what was said is in the run's folder. */
export const decisionSignal = defineSignal('decision');

/** The reason of a pause in which a person is asked about a candidate. */
export const WAITS_FOR_APPROVAL = 'the candidate waits for approval';

/** Asks nothing: only a workflow that is at work takes it. */
export const atWorkSignal = defineSignal('atWork');

/** From parent to child: start no more shards, or go on. */
export const pauseShardsSignal = defineSignal<[boolean]>('pauseShards');

/** From child to parent: what has been finished since the last report. */
export const shardsDoneSignal = defineSignal<[Counts]>('shardsDone');
