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
  /** Graph layers. */
  layers: number;
}

const STEP_LIMIT_BYTES = 3 * 2 ** 30;

/**
 * Bytes of the tensors that a step of `images` images holds at its peak: what the forward pass keeps for the backward
 * pass, and what the backward pass of the head, or of one block, adds. Measured on the CPU provider it is 5 to 20 % more
 * than a step takes, in all forms of the head (docs/training.md, `npm run bench -- memory --train`).
 */
export function stepBytes(sizes: StepSizes, images: number): number {
  const { tokens, width, intermediate, attentionHeads, blocks, nodes, edges, d, layers } = sizes;
  const attention = attentionHeads * tokens * tokens;
  const kept = blocks * (tokens * (9 * width + 3 * intermediate) + attention);
  const blockBackward = tokens * (2 * width + 2 * intermediate) + 2 * attention;
  // Each layer keeps its neighbours' features and what the attention looks at; its backward pass makes three as large.
  const messages = layers > 0 ? (2 * layers + 3) * nodes * edges * d : 0;
  const head = messages + 12 * (1 + layers) * nodes * d + 8 * nodes * tokens;
  return 4 * images * (kept + Math.max(head, blockBackward));
}

/** The most images, up to `batchSize`, whose step stays below the limit; at least 1. */
export function microBatchFor(sizes: StepSizes, batchSize: number, limitBytes = STEP_LIMIT_BYTES): number {
  return Math.max(1, Math.min(batchSize, Math.floor(limitBytes / stepBytes(sizes, 1))));
}
