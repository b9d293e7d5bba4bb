import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { GraphProgress } from './graph/graphTypes.ts';
import type { EvaluateProgress } from './evaluate/evaluateTypes.ts';
import type { RetrainProgress } from './retrain/retrainTypes.ts';
import type { TrainProgress } from './train/trainTypes.ts';
import type { ShardsReport, ShardWindow, TagProgress } from './tag/tagTypes.ts';

/** Where a run is: answered by `tagCorpus` and `trainModel` at any time, each with its own progress. */
export const progressQuery = defineQuery<TagProgress>('progress');
export const trainProgressQuery = defineQuery<TrainProgress>('progress');
export const evaluateProgressQuery = defineQuery<EvaluateProgress>('progress');
export const retrainProgressQuery = defineQuery<RetrainProgress>('progress');
export const graphProgressQuery = defineQuery<GraphProgress>('progress');

/** A retraining's candidate was approved or rejected: what was said is in the run's folder. */
export const decisionSignal = defineSignal('decision');

/** The reason of a pause in which a person is asked about a candidate. */
export const WAITS_FOR_APPROVAL = 'the candidate waits for approval';

/** Asks nothing: only a workflow that is at work takes it. */
export const atWorkSignal = defineSignal('atWork');

/** From parent to child: how many shards to have at work from now on. */
export const shardWindowSignal = defineSignal<[ShardWindow]>('shardWindow');

/** From child to parent: what has been finished since the last report, and what was heard. */
export const shardsReportSignal = defineSignal<[ShardsReport]>('shardsReport');
