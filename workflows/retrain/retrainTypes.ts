/** What passes between commands, `retrain` and its activities. */
import type { GraphControls } from '../../data/graph/graphControls.ts';
import type { Stage } from '../../data/retrain/stages.ts';
import type { StageChild } from '../control/requests.ts';
import type { FeaturesPiece, FeaturesSettings } from '../train/featuresTypes.ts';
import type { RunControls } from '../tag/tagTypes.ts';

/** A retraining, by the folder of its run: everything else about it is in there. */
export interface RetrainRun {
  /** Canonical URI of the run's folder. */
  output: string;
}

export interface RetrainControls extends RunControls {
  /** How its graph is built. */
  graph: GraphControls;
}

export interface RetrainInput extends RetrainRun {
  controls: RetrainControls;
  /** What an execution tells the one that continues it as new; commands leave it out. */
  carried?: { features: FeaturesPiece; pausing: boolean; concurrency: number; maxFailureRate: number };
}

/** What a schedule starts: a retraining of the pipeline that is frozen at this URI. */
export interface ScheduledRetrainInput {
  pipeline: string;
  controls: RetrainControls;
}

/** What a schedule's history says of a retraining. */
export interface ScheduledRetrainResult {
  state: Outcome;
  output: string;
  model: string | null;
}

/** A retraining as its record says. */
export interface RetrainPlan {
  /** URI of the folder of artifacts. */
  artifacts: string;
  /** URI of the model that training starts from. */
  model: string;
  features: FeaturesSettings & { again: string | null };
  /** Hours that a person has to approve the candidate; null: nobody is asked. */
  approvalHours: number | null;
  tags: boolean;
}

/** The folder of the run that makes a stage's artifact. */
export interface StageRun {
  uri: string;
  /** The run's id, which its workflow has. */
  id: string;
  /** Whether it has finished: what it made is there. */
  finished: boolean;
}

/** The training data as it was frozen. */
export interface FrozenData {
  /** URI of the folder that has it. */
  uri: string;
  reused: boolean;
  images: number;
  validationImages: number;
  /** The model that came of the very same inputs and was published; null where none was. */
  published: string | null;
}

/** What the gate says of a candidate. */
export interface Verdict {
  passed: boolean;
  /** A sentence per rule. */
  rules: string[];
  /** When it was first said, ms since 1970. */
  judgedMs: number;
}

/** How a stage ended, as {@link RetrainStoreActivities.noteStage} writes it. */
export interface StageEnd {
  stage: Stage;
  state: 'done' | 'reused' | 'skipped';
  artifact: string | null;
  summary: string;
  seconds: number;
  units: number;
}

/** How a retraining ends. */
export type Outcome =
  /** The candidate is in production. */
  | 'published'
  /** The data and everything else are those of a model that was published before. */
  | 'unchanged'
  /** The gate, a person, or nobody in time. */
  | 'rejected';

export interface RetrainResult {
  outcome: Outcome;
  /** URI of the model that was published, now or before; null where none was. */
  model: string | null;
  /** Why, in sentences. */
  why: string[];
  stages: StageEnd[];
}

/** Activities of a retraining, which need only the object stores. On the `orchestrate` queue. */
export interface RetrainStoreActivities {
  /** Makes the run of a pipeline that a schedule has started; `run` is the id of the workflow that asks. */
  claimScheduled(schedule: { pipeline: string; run: string }): Promise<{ output: string; id: string }>;
  openRetrain(run: RetrainRun): Promise<RetrainPlan>;
  freezeData(run: RetrainRun): Promise<FrozenData>;
  beginGraph(run: RetrainRun & { snapshot: string }): Promise<StageRun>;
  beginTraining(run: RetrainRun & { snapshot: string; graph: string }): Promise<StageRun>;
  beginEvaluation(run: RetrainRun & { snapshot: string; training: string }): Promise<StageRun>;
  judgeCandidate(run: RetrainRun & { evaluation: string }): Promise<Verdict>;
  /** What a person has decided; null where nobody has yet. */
  readDecision(run: RetrainRun & { evaluation: string }): Promise<PersonsDecision | null>;
  publishCandidate(
    run: RetrainRun & { snapshot: string; graph: string; training: string; evaluation: string },
  ): Promise<{ uri: string; moved: boolean }>;
  beginTagging(run: RetrainRun & { model: string }): Promise<StageRun>;
  /** Whether the run in this folder has finished. */
  isFinished(run: RetrainRun): Promise<boolean>;
  /** What a finished stage came to, in a few words, and the units of its work. */
  describeStage(run: { uri: string }): Promise<{ summary: string; units: number }>;
  /** Writes the receipt of a stage; returns what it says, which is what an earlier execution wrote. */
  noteStage(run: RetrainRun & { end: StageEnd }): Promise<StageEnd>;
  finishRetrain(run: RetrainRun & Omit<RetrainResult, 'stages'>): Promise<RetrainResult>;
}

/** A person's word about a candidate. */
export interface PersonsDecision {
  approved: boolean;
  by: string;
  reason: string;
}

/** Answer to the progress query of `retrain`. */
export interface RetrainProgress {
  /** The stage at work; `done` at the end. */
  stage: Stage | 'done';
  /** Of the stages that are over. */
  ended: StageEnd[];
  /** Pieces of features to extract, in all and done. */
  pieces: number;
  piecesDone: number;
  /** The run that makes the stage's artifact; null where the stage is no run, or between two. */
  child: StageChild;
  /** Whether `child` was started by another run, which is waited for. */
  isWaiting: boolean;
  /** Whether a pause was asked for, which begins when the stage is over. */
  pausing: boolean;
  /** Why the run waits; null where it does not. */
  paused: string | null;
}

export interface SurveyInput {
  /** URI of the frozen pipeline. */
  pipeline: string;
  from: Stage | null;
}

/** What a stage would do if the pipeline ran now. */
export interface SurveyedStage {
  stage: Stage;
  /** `unknown`: it depends on what an earlier stage makes. */
  state: 'runs' | 'reused' | 'skipped' | 'unknown';
  /** What it would work on, for people. */
  work: string;
  /** Units of its work: images or questions; null where they are not known. */
  units: number | null;
  /** At the pace of the last run that did it; null where none has. */
  seconds: number | null;
  /** The most that a language model can take for it, in tokens. */
  tokens: { input: number; output: number } | null;
}

export interface Survey {
  /** The model that would be found unchanged; null where the stages would be gone through. */
  unchanged: string | null;
  stages: SurveyedStage[];
}

/** On the `gpu` queue: what a language model would be asked is chosen by text features. */
export interface RetrainSurveyActivities {
  surveyRetrain(input: SurveyInput): Promise<Survey>;
}
