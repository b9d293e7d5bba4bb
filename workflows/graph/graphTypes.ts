/** What passes between commands, `buildGraph` and its activities. */
import type { GraphControls } from '../../data/graph/graphControls.ts';
import type { TokenPrices, Tokens } from '../../data/graph/tokens.ts';
import type { StageRun } from '../retrain/retrainTypes.ts';

/** The run of a category graph, by its folder: everything else about it is in there. */
export interface GraphRun {
  /** Canonical URI of the run's folder. */
  output: string;
}

export interface BuildGraphInput extends GraphRun {
  controls: GraphControls;
  /** What an execution tells the one that continues it as new; others leave it out. */
  carried?: { dialect: LlmDialect | null; paused: string | null };
}

/** What an endpoint has been found not to understand. */
export interface LlmDialect {
  /** How it is told the form of the answer: by a schema, that it is JSON, or by the question alone. */
  format: 'schema' | 'object' | 'text';
  /** Parameters that it refuses. */
  without: string[];
}

/** How a graph is to be built, decided when it is planned. */
export interface GraphPlanSummary {
  /** Categories that get edges. */
  categories: number;
  /** Questions to ask; none with another provider than a language model. */
  calls: number;
  /** Answers of earlier runs that are used again. */
  cached: number;
  /** The most tokens of one request. */
  mostTokens: Tokens;
}

/** Where a graph is, read from its folder. */
export interface GraphState {
  /** Questions without an answer, as ranges [from, to). */
  pending: { from: number; to: number }[];
  fallbacks: number;
  /** Of all requests so far; one whose answer never came counts as the most that it can have been. */
  spent: Tokens;
}

export interface AskInput extends GraphRun {
  /** Names what is spent on these questions, in all attempts at this activity. */
  batch: string;
  /** Questions [from, to) of the plan. */
  from: number;
  to: number;
  /** What these questions may cost; null: whatever they do. */
  allowance: { usd: number; prices: TokenPrices } | null;
  /** The least time from one request to the next, in milliseconds: so much, and so much per token of the first. */
  pace: { requestMs: number; tokenMs: number };
  dialect: LlmDialect | null;
}

export interface AskResult {
  /** The first question that has no answer, because the allowance is used up; `to` where all have one. */
  next: number;
  /** Of the answers, those that WordNet stands in for. */
  fallbacks: number;
  /** In all attempts at this activity. */
  spent: Tokens;
  dialect: LlmDialect;
}

export interface GraphResult {
  /** Categories that have got edges or none. */
  categories: number;
  edges: number;
  /** SHA-256 of the edges, as `graphHash` makes it. */
  hash: string;
  calls: number;
  cached: number;
  fallbacks: number;
  tokens: Tokens;
  costUsd: number;
}

/** On the `gpu` queue: text features choose the questions. */
export interface GraphPlanActivities {
  planGraph(run: GraphRun): Promise<GraphPlanSummary>;
  /**
   * Writes the folder of the run that links the categories of a tag run's vocabulary, the first that is not linked yet;
   * null where nothing is left to be linked by a language model.
   */
  beginLinking(tagRun: GraphRun): Promise<StageRun | null>;
}

/** On the `llm` queue. */
export interface GraphLlmActivities {
  askCategories(input: AskInput): Promise<AskResult>;
}

/** On the `orchestrate` queue. */
export interface GraphStoreActivities {
  readGraphState(run: GraphRun): Promise<GraphState>;
  /** Writes the graph, the manifest and `_SUCCESS`. */
  finishGraph(run: GraphRun & { prices: TokenPrices }): Promise<GraphResult>;
}

/** Heartbeat of a batch at work. */
export interface AskProgress {
  answered: number;
}

/** Answer to the progress query of `buildGraph`. */
export interface GraphProgress {
  stage: 'plan' | 'ask' | 'finish' | 'done';
  categories: number;
  /** Questions in all, and those with an answer. */
  calls: number;
  callsDone: number;
  cached: number;
  fallbacks: number;
  spent: Tokens;
  costUsd: number;
  etaSeconds: number | null;
  /** Why no questions are asked; null where they are. */
  paused: string | null;
}
