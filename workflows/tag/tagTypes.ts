/** What passes between commands, workflows and activities: URIs, numbers and counts, nothing bigger. */
import type { GraphControls } from '../../data/graph/graphControls.ts';
import type { Counts } from '../../data/run/counts.ts';

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

export interface TagShardsInput extends ShardRange {
  /** Names of the vocabularies' artifacts, as one text. */
  artifact: string;
  /** Shards handed out at once. */
  window: number;
  heartbeatTimeoutS: number;
  paused: boolean;
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
  tagShard(shard: TagRun & { shard: number; artifact: string }): Promise<Counts>;
}

/** Stages of a tag run, in order. */
export type TagStage = 'plan' | 'prepare' | 'tag' | 'finish' | 'done';

/** Answer to the progress query. */
export interface TagProgress extends Counts {
  stage: TagStage;
  /** Planned keys and shards; 0 until the plan is there. */
  keys: number;
  shards: number;
  /** When tagging began in this execution, ms since 1970, and what was done before it began. */
  tagStartedMs: number | null;
  imagesBefore: number;
  /** Since tagging began in this execution, of committed shards; null before the first. */
  imagesPerSecond: number | null;
  /** At that rate; null where there is none. */
  etaSeconds: number | null;
  /** Why the run is paused; null where it is not. */
  paused: string | null;
  /** Workflow ids of the children at work, whose pending activities tell what is in flight. */
  children: string[];
}
