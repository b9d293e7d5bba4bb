/** What a contestant says, as a line of JSON, before it is timed. */
export interface Contestant {
  /** Losses of the first steps. */
  losses: number[];
  /** Floating-point operations of the step's matrix products. Ours only. */
  flops?: number;
}

/** Steps whose losses are compared: the later ones tell of gradients and updates. */
export const COMPARED_STEPS = 3;

/** What ours is told in place of a number of steps: to say how many operations per second a large matrix product reaches. */
export const LIMIT = 'limit';
