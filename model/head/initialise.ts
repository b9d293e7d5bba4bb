/** First parameters of an untrained head, drawn as PyTorch's layers draw them (`golden/reference.py`). */
import { randomStream } from '../../data/random.ts';
import type { HeadSettings } from '../clip/config.ts';
import { EDGE_FEATURES } from './neighbours.ts';
import type { HeadShape } from './head.ts';
import { HEAD_PREFIX } from './shape.ts';

/**
 * The head's parameters by their names in a model folder. Zero are the biases that the reference starts at zero, and
 * what makes an untrained head of the anchored and residual forms equal training-free CLIP + ISR: `v`, the last layer
 * of the FFN and the gates. `d` is the joint dimension, a multiple of the heads.
 */
export function initialHead(
  form: HeadSettings['form'],
  shape: HeadShape,
  d: number,
  seed: number,
): Map<string, { shape: readonly number[]; values: Float32Array<ArrayBuffer> }> {
  const parameters = new Map<string, { shape: readonly number[]; values: Float32Array<ArrayBuffer> }>();
  const set = (name: string, dims: readonly number[], bound: number): void => {
    const values = new Float32Array(dims.reduce((a, b) => a * b, 1));
    if (bound > 0) {
      const stream = randomStream('head', seed, name);
      for (let i = 0; i < values.length; i++) values[i] = (2 * stream.uniform() - 1) * bound;
    }
    parameters.set(HEAD_PREFIX + name, { shape: dims, values });
  };
  // Linear: uniform within 1 / √inputs.
  const linear = (name: string, to: number, from: number, { bias = true, zero = false } = {}): void => {
    const bound = zero ? 0 : from ** -0.5;
    set(`${name}.weight`, [to, from], bound);
    if (bias) set(`${name}.bias`, [to], bound);
  };
  if (form !== 'anchored') {
    const hidden = shape.hidden ?? d;
    linear('fc1', hidden, 2 * d);
    linear('fc2', d, hidden, { zero: form === 'residual' });
    if (form === 'residual' && shape.layers > 0) set('gate', [shape.layers], 0);
  }
  for (let layer = 0; layer < shape.layers; layer++) {
    const { heads } = shape;
    linear(`gat.${layer}.lin_l`, d, d);
    linear(`gat.${layer}.lin_r`, d, d);
    linear(`gat.${layer}.lin_edge`, d, EDGE_FEATURES, { bias: false });
    // Xavier: uniform within √(6 / (rows + columns)).
    set(`gat.${layer}.att`, [heads, d / heads], Math.sqrt(6 / (heads + d / heads)));
    set(`gat.${layer}.bias`, [d], 0);
    if (form === 'anchored') {
      linear(`gat.${layer}.lin_score`, d, 1, { bias: false });
      set(`gat.${layer}.v`, [d], 0);
    }
  }
  return parameters;
}
