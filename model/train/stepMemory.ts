/** How much memory a training step takes, so that a batch can be cut into parts that fit. */

/** Sizes that decide the memory of a step. */
export interface StepSizes {
  /** Patches and the class token. */
  tokens: number;
  width: number;
  /** Width of the blocks' MLPs. */
  intermediate: number;
  attentionHeads: number;
  /** Trained blocks. */
  blocks: number;
  /** Categories of a step, and the widest row of their neighbour table. */
  nodes: number;
  edges: number;
  d: number;
  form: 'anchored' | 'residual' | 'plain';
  /** Graph layers. */
  layers: number;
}

const STEP_LIMIT_BYTES = 3 * 2 ** 30;

/** Estimated bytes of the tensors that a step of `images` images keeps. */
export function stepBytes(sizes: StepSizes, images: number): number {
  const { tokens, width, intermediate, attentionHeads, blocks, nodes, edges, d, layers } = sizes;
  const block = tokens * (14 * width + 5 * intermediate) + 4 * attentionHeads * tokens * tokens;
  const head = layers * 10 * nodes * edges * d + 12 * nodes * d + 8 * nodes * tokens;
  return 4 * images * (blocks * block + head);
}

/** The most images, up to `batchSize`, whose step stays below the limit; at least 1. */
export function microBatchFor(sizes: StepSizes, batchSize: number, limitBytes = STEP_LIMIT_BYTES): number {
  return Math.max(1, Math.min(batchSize, Math.floor(limitBytes / stepBytes(sizes, 1))));
}
