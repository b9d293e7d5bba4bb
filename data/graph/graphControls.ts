import type { TokenPrices } from './tokens.ts';

/** How a graph is built, as against what it comes to: these may change when a run is resumed. */
export interface GraphControls {
  /** A worker that is silent for this long is taken for lost, in seconds. */
  heartbeatTimeoutS: number;
  /** Questions at once, over all workers. */
  concurrency: number;
  /** Questions of one activity. */
  batch: number;
  requestsPerMinute: number | null;
  /** Of questions and answers together. */
  tokensPerMinute: number | null;
  /** US dollars, over all executions of the run. */
  maxCostUsd: number | null;
  prices: TokenPrices;
}
