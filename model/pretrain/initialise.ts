/** The weights that a pre-training starts from. */
import type { ClipConfig } from '../clip/config.ts';
import { randomStream } from '../../data/random.ts';
import type { Parameters } from '../train/parameters.ts';
import { clipParameterShapes, LOGIT_SCALE } from './shapes.ts';

/** log(1 / 0.07), CLIP's first temperature, as its checkpoints round it. */
const FIRST_LOG_SCALE = 2.6592;

/**
 * Random weights of a CLIP, by their names in the checkpoint, as transformers' CLIPModel initialises them (with its
 * `initializer_factor` of 1 and `initializer_range` of 0.02). They are a pure function of seed, name and shape: the same
 * on every machine.
 */
export function initialClipParameters(config: ClipConfig, seed: number): Parameters {
  return new Map(
    [...clipParameterShapes(config)].map(([name, { shape }]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, values: initialValues(name, count, config, seed) }];
    }),
  );
}

function initialValues(
  name: string,
  count: number,
  config: ClipConfig,
  seed: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  if (name === LOGIT_SCALE) return values.fill(FIRST_LOG_SCALE);
  // pre_layrnorm is the checkpoints' own spelling.
  if (/(norm\d?|layrnorm)\.weight$/.test(name)) return values.fill(1);
  if (name.endsWith('.bias')) return values;
  const deviation = standardDeviation(name, config);
  const stream = randomStream('clip weights', seed, name);
  for (let i = 0; i < count; i++) values[i] = deviation * stream.normal();
  return values;
}

/** Of the normal distribution that a weight is drawn from. */
function standardDeviation(name: string, { text_config, vision_config }: ClipConfig): number {
  const tower = name.startsWith('text') ? text_config : vision_config;
  const width = tower.hidden_size;
  // What a block adds to its input is the smaller, the more blocks there are.
  const perBlock = (width * 2 * tower.num_hidden_layers) ** -0.5;
  if (/\.(patch|position|token)_embedding\.weight$/.test(name)) return 0.02;
  if (/\.([qkv]_proj|fc2)\.weight$/.test(name)) return perBlock;
  if (name.endsWith('.fc1.weight')) return (2 * width) ** -0.5;
  return width ** -0.5;
}
