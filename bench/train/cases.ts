/** The training steps that are timed and measured: sizes, and inputs that depend on the case alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors, openSafetensors, readFloats } from '../../data/safetensors.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import type { HeadSettings } from '../../model/clip/config.ts';
import { HEAD_PREFIX } from '../../model/head/shape.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import type { AdamWSettings } from '../../model/train/adamw.ts';
import { encoderParameters, type Parameters } from '../../model/train/parameters.ts';
import type { ImageLabels, RankingBatch, RankingOptions } from '../../model/ranking/rankingObjective.ts';
import { randomNumbers, VIT_B16, writeCheckpoint, type CheckpointOptions } from '../checkpoint.ts';

export interface StepCase {
  name: string;
  /** The vision tower has the trained blocks alone: what lies below them is not part of a step. */
  checkpoint: CheckpointOptions;
  form: HeadSettings['form'];
  categories: number;
  /** Incoming edges of each category, its own included. */
  inDegree: number;
  batch: number;
}

const TRAINED_BLOCKS = 2;
/** Layers and attention heads of the graph network. */
const IST = { layers: 2, heads: 4 };
/** Categories that an image shows. */
const PRESENT = 4;

const vitB16 = (form: StepCase['form']): CheckpointOptions => ({
  ...VIT_B16,
  vision: { ...VIT_B16.vision, num_hidden_layers: TRAINED_BLOCKS },
  head: { form, ...IST },
});

/** The demo model's sizes. */
const small: CheckpointOptions = {
  projection: 96,
  vision: {
    hidden_size: 128,
    intermediate_size: 512,
    num_hidden_layers: TRAINED_BLOCKS,
    num_attention_heads: 4,
    image_size: 96,
    patch_size: 12,
  },
  head: { form: 'anchored', ...IST },
};

export const STEP_CASES: readonly StepCase[] = [
  {
    name: 'ViT-B/16, 129 categories',
    checkpoint: vitB16('anchored'),
    form: 'anchored',
    categories: 129,
    inDegree: 6,
    batch: 8,
  },
  {
    name: 'ViT-B/16, 925 categories',
    checkpoint: vitB16('anchored'),
    form: 'anchored',
    categories: 925,
    inDegree: 17,
    batch: 3,
  },
  {
    name: 'demo model, 129 categories',
    checkpoint: small,
    form: 'anchored',
    categories: 129,
    inDegree: 6,
    batch: 64,
  },
];

/** A ViT-B/16-sized step of any form and size. */
export const vitCase = (
  form: StepCase['form'],
  sizes: Pick<StepCase, 'categories' | 'inDegree' | 'batch'>,
): StepCase => ({ name: 'ViT-B/16', checkpoint: vitB16(form), form, ...sizes });

/** Margin, scale and weight of the losses; AdamW's settings. */
export const SETTINGS = {
  loss: { margin: 1, scale: 10, distillation: 0.1 },
  adamw: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  rates: { encoder: 3e-4, head: 1e-3 },
} as const;

/** {@link SETTINGS} as the optimiser takes them. */
export const adamwSettings: AdamWSettings = {
  ...SETTINGS.adamw,
  decays: () => true,
  groupOf: (name) => (name.startsWith(HEAD_PREFIX) ? 'head' : 'encoder'),
};

/** Writes the case's checkpoint (`model/`), inputs (`inputs.safetensors`) and settings (`case.json`) into a folder. */
export function writeStepCase(dir: string, step: StepCase): void {
  const { checkpoint, categories, inDegree, batch } = step;
  const { vision, projection: d } = checkpoint;
  const tokenizer = fileURLToPath(new URL('../../test/golden/tiny/clip/tokenizer.json', import.meta.url));
  writeCheckpoint(join(dir, 'model'), checkpoint, tokenizer);
  const random = randomNumbers(7);
  const values = (count: number) => Float32Array.from({ length: count }, random);
  const tokens = 1 + Math.floor(vision.image_size / vision.patch_size) ** 2;
  const labels = new Float32Array(batch * categories).fill(-1);
  for (let image = 0; image < batch; image++)
    for (let i = 0; i < PRESENT; i++) labels[image * categories + ((image * 5 + i * 29) % categories)] = 1;
  const edges: number[] = [];
  for (let target = 0; target < categories; target++)
    for (let i = 1; i < inDegree; i++)
      edges.push(
        (target + i * 37) % categories,
        target,
        1 + (i % 5),
        Math.fround(0.5 + 0.5 * Math.abs(random())),
      );
  const inputs = {
    hidden: {
      shape: [batch, tokens, vision.hidden_size],
      values: values(batch * tokens * vision.hidden_size),
    },
    global: { shape: [batch, d], values: unitRows(values(batch * d), d) },
    text: { shape: [categories, d], values: unitRows(values(categories * d), d) },
    labels: { shape: [batch, categories], values: labels },
    // source, target, relation, strength
    edges: { shape: [edges.length / 4, 4], values: Float32Array.from(edges) },
  };
  writeFileSync(join(dir, 'inputs.safetensors'), encodeSafetensors(inputs));
  writeFileSync(
    join(dir, 'case.json'),
    JSON.stringify({ ...step, ...SETTINGS, ...IST, tau: 0.1, alpha: 0.5, cap: 32 }),
  );
}

function unitRows(values: Float32Array, width: number): Float32Array {
  for (let row = 0; row < values.length; row += width) {
    const own = values.subarray(row, row + width);
    const norm = Math.hypot(...own);
    for (const [i, value] of own.entries()) own[i] = value / norm;
  }
  return values;
}

export interface LoadedCase {
  step: StepCase;
  parameters: Parameters;
  options: Omit<RankingOptions, 'microBatch' | 'maxCategories'>;
  batch: RankingBatch;
}

/** What {@link writeStepCase} wrote, as the training engine takes it. */
export function readStepCase(dir: string): LoadedCase {
  const step = JSON.parse(readFileSync(join(dir, 'case.json'), 'utf8')) as StepCase;
  const model = openModelFolder(join(dir, 'model'));
  const inputs = openSafetensors(join(dir, 'inputs.safetensors'));
  const read = (name: string): Float32Array => readFloats(inputs.get(name)!);
  const parameters = encoderParameters(model.tensors, TRAINED_BLOCKS, TRAINED_BLOCKS);
  for (const [name, entry] of model.tensors)
    if (name.startsWith(HEAD_PREFIX)) parameters.set(name, { shape: entry.shape, values: readFloats(entry) });
  const labels = read('labels');
  const edgeRows = read('edges');
  const edges = Array.from({ length: edgeRows.length / 4 }, (_, i): IndexedEdge => {
    const [source, target, relation, strength] = edgeRows.subarray(4 * i, 4 * i + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    return { source, target, relation, strength };
  });
  return {
    step,
    parameters,
    options: {
      config: model.config,
      head: model.config.c2srt,
      headShape: model.head,
      parameters,
      trainedBlocks: TRAINED_BLOCKS,
      text: read('text'),
      edges,
      loss: SETTINGS.loss,
    },
    batch: {
      hidden: read('hidden'),
      global: read('global'),
      labels: Array.from({ length: step.batch }, (_, image): ImageLabels => {
        const own = labels.subarray(image * step.categories, (image + 1) * step.categories);
        return { present: [...own.keys()].filter((c) => own[c] === 1), absent: null };
      }),
      sample: [0],
    },
  };
}
