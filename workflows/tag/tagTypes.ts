/** What passes between commands, workflows and activities: URIs, numbers and counts, nothing bigger. */
import type { GraphControls } from '../../data/graph/graphControls.ts';
import type { Counts } from '../../data/run/counts.ts';
import type { FailedImage, FailureExamples } from '../../data/run/atWork/failureSample.ts';
import type { PhaseTimes } from '../../data/run/atWork/phases.ts';
import type { StageChild } from '../control/requests.ts';
import type { Mark } from '../control/recentRate.ts';

/** A tag run, by its folder: everything else about it is in there. */
export interface TagRun {
  /** Canonical URI of the run's folder. */
  output: string;
}

/** Shards [from, to) of a run. */
export interface ShardRange extends TagRun {
  from: number;
  to: number;
}

/** How a run is worked on; unlike its specification these may differ between two commands for the same run. */
export interface RunControls {
  /** Shards in work at once, over all workers. */
  concurrency: number;
  /** Share of failed images, in [0, 1], above which the run pauses. */
  maxFailureRate: number;
  /** A worker that is silent for this long is taken for lost, in seconds. */
  heartbeatTimeoutS: number;
}

export interface TagCorpusInput extends TagRun {
  /** `graph`: how a language model is asked, where one links categories. Runs of earlier releases lack it. */
  controls: RunControls & { graph?: GraphControls };
}

export interface TagCorpusResult extends Counts {
  parts: number;
  /** Whether the rows' scores are calibrated; runs of earlier releases do not tell. */
  scores?: 'calibrated' | 'raw';
}

/** What a parent tells the child that does a range of its shards. */
export interface ShardWindow {
  /** Shards at work at once; 0: none is started. */
  window: number;
  /** Grows with every change. */
  revision: number;
}

export interface TagShardsInput extends ShardRange, ShardWindow {
  /** Names of the vocabularies' artifacts, as one text. */
  artifact: string;
  heartbeatTimeoutS: number;
  /** What an execution tells the one that continues it as new: when the first began, ms since 1970, and its reports. */
  carried?: { startedMs: number; reports: number };
}

/** What a shard came to. */
export interface ShardResult extends Counts {
  /** Where the time of the attempt that ended it went. */
  phasesMs: PhaseTimes;
  /** A few of its failures. */
  failures: FailedImage[];
}

/** What a child tells its parent. */
export interface ShardsReport {
  /** Workflow id of the child. */
  child: string;
  /** Grows from report to report: the server may deliver them in another order. */
  serial: number;
  /** Of the last window that was heard. */
  revision: number;
  /** Shards that workers have in hand. */
  inHand: number;
  /** Since the last report: how many shards, the first and the last of their numbers, and what they came to. */
  shards: number;
  first: number;
  last: number;
  done: ShardResult;
}

/** Activities of the run itself: listing and accounting. On the `corpus` queue. */
export interface CorpusActivities {
  planCorpus(run: TagRun): Promise<{ shards: number; keys: number }>;
  findPendingShards(range: ShardRange): Promise<{ pending: number[]; done: Counts }>;
  checkShards(range: ShardRange): Promise<void>;
  finishRun(run: TagRun & { artifact: string }): Promise<TagCorpusResult>;
}

/** Activities that need the model. On the `gpu` queue. */
export interface TagActivities {
  /** Returns the names of the vocabularies' artifacts, as one text. */
  prepareVocabulary(run: TagRun): Promise<string>;
  tagShard(shard: TagRun & { shard: number; artifact: string }): Promise<ShardResult>;
}

/** Stages of a tag run, in order. */
export type TagStage = 'plan' | 'prepare' | 'tag' | 'finish' | 'done';

/** Answer to the progress query. */
export interface TagProgress extends Counts {
  stage: TagStage;
  /** Planned keys and shards; 0 until the plan is there. */
  keys: number;
  shards: number;
  /** From where the recent rate counts; `isStart`: nothing was in hand then. Null until the first shard may start. */
  recent: (Mark & { isStart: boolean }) | null;
  /** Where the time of finished shards went, in this execution. */
  phasesMs: PhaseTimes;
  /** The latest failures, oldest first, and some keys by code; of this execution. */
  lastFailures: FailedImage[];
  examples: FailureExamples;
  /** Settings in force. */
  concurrency: number;
  maxFailureRate: number;
  /** Shards that workers have in hand, as far as children have told. */
  inHand: number;
  /** The run that links categories for this one; null where none is at work. */
  child: StageChild;
  /** Why the run is paused; null where it is not. */
  paused: string | null;
  /** Workflow ids of the children at work, whose pending activities tell what is in flight. */
  children: string[];
}
