/** What passes between schedules, `tagIncrement` and its activities. */
import type { RunControls } from './tagTypes.ts';

/** A chain of tag runs, by its folder, and the request that is frozen in there. */
export interface TagIncrementInput {
  /** Canonical URI of the chain's folder. */
  out: string;
  /** Hash of the request. */
  request: string;
  controls: RunControls;
}

export interface TagIncrementResult {
  /** `unchanged`: nothing was new, changed or gone since the run before, so there is no new one. */
  state: 'tagged' | 'unchanged';
  /** URI of the newest run of the chain. */
  output: string;
  images: number;
  tagged: number;
}

/** Activities of a chain; they need the object stores alone. On the `orchestrate` queue. */
export interface IncrementActivities {
  nextIncrement(
    ask: Omit<TagIncrementInput, 'controls'> & { by: string; execution: string; takeOver?: string },
  ): Promise<{ run: string; id: string; since: string | null; heldBy: string | null; isNew: boolean }>;
  dropUnchanged(of: { out: string; run: string }): Promise<boolean>;
}
