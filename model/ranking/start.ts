/** What a ranking training begins with: the head's settings and sizes, first parameters, and how a step is cut up. */
import type { TrainSettings } from '../../data/config/trainSchema.ts';
import { readFloats } from '../../data/safetensors.ts';
import type { HeadSettings } from '../clip/config.ts';
import type { HeadShape } from '../head/head.ts';
import { initialHead } from '../head/initialise.ts';
import type { ModelFolder } from '../modelFolder.ts';
import { encoderParameters, type Parameters } from '../train/parameters.ts';
import { activationShape } from './activations.ts';
import { microBatchFor } from './stepMemory.ts';

/** How the head scores, as a model's configuration has it. */
export const headSettings = ({ form, isr, patches, tau, alpha, cap }: TrainSettings): HeadSettings => ({
  form,
  isr,
  patches,
  tau,
  alpha,
  cap,
});

/** The sizes of the head to train; undefined where nothing of it is left. */
export function headShapeOf(
  { form, ist, layers, heads, hidden }: TrainSettings,
  d: number,
): HeadShape | undefined {
  if (form === 'anchored') return ist ? { layers, heads } : undefined;
  return { layers: ist ? layers : 0, heads, hidden: hidden ?? d };
}

/** The encoder's trained parameters, and the starting model's head where it has the same form and sizes, else a new one. */
export function startParameters(
  model: ModelFolder,
  { form, trainedBlocks, seed }: TrainSettings,
  shape: HeadShape | undefined,
): Parameters {
  const { config, tensors, head } = model;
  const parameters = encoderParameters(tensors, config.vision_config.num_hidden_layers, trainedBlocks);
  if (!shape) return parameters;
  const isSame =
    head !== undefined &&
    config.c2srt.form === form &&
    head.layers === shape.layers &&
    head.heads === shape.heads &&
    head.hidden === shape.hidden;
  for (const [name, initial] of initialHead(form, shape, config.projection_dim, seed)) {
    const known = isSame ? tensors.get(name) : undefined;
    parameters.set(name, known ? { shape: known.shape, values: readFloats(known) } : initial);
  }
  return parameters;
}

/** Images of a micro-batch that keeps a step below 3 GiB; `edges` have the targets among the `seen` categories. */
export function microBatchOf(
  model: ModelFolder,
  settings: TrainSettings,
  headShape: HeadShape | undefined,
  seen: number,
  edges: readonly { target: number }[],
): number {
  const { trainedBlocks, maxCategories, batchSize } = settings;
  const { config } = model;
  const degrees = new Map<number, number>();
  for (const { target } of edges) degrees.set(target, (degrees.get(target) ?? 0) + 1);
  const { tokens, width, d } = activationShape(model);
  return microBatchFor(
    {
      tokens,
      width,
      intermediate: config.vision_config.intermediate_size,
      attentionHeads: config.vision_config.num_attention_heads,
      blocks: trainedBlocks,
      nodes: Math.min(seen, maxCategories),
      edges: 1 + Math.max(0, ...degrees.values()),
      d,
      layers: headShape?.layers ?? 0,
    },
    batchSize,
  );
}
