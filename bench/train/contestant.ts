/** What a contestant says, as a line of JSON, before it is timed. */
export interface Contestant {
  /** Losses of the first steps. */
  losses: number[];
  /** Floating-point operations of the step's matrix products. Ours only. */
  flops?: number;
  /** Operations per second of a large matrix product in ONNX Runtime on the same threads. Ours only. */
  limitFlops?: number;
}

/** Steps whose losses are compared: the later ones tell of gradients and updates. */
export const COMPARED_STEPS = 3;
