import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { IndexedEdge } from '../../../data/subgraph.ts';
import { headSettingsSchema } from '../../../model/clip/config.ts';
import type { HeadShape } from '../../../model/head/head.ts';
import { initialHead } from '../../../model/head/initialise.ts';
import { openModelFolder, type ModelFolder } from '../../../model/modelFolder.ts';
import { randomStream } from '../../../data/random.ts';
import { activationShape } from '../../../model/ranking/activations.ts';
import type { Objective } from '../../../model/train/objective.ts';
import { encoderParameters, type Parameters } from '../../../model/train/parameters.ts';
import {
  createRankingObjective,
  type RankingBatch,
  type RankingOptions,
} from '../../../model/ranking/rankingObjective.ts';

const DEVICE = { provider: 'cpu', threads: 1 } as const;
const CATEGORIES = 12;
const IMAGES = 5;

const EDGES: IndexedEdge[] = Array.from({ length: 30 }, (_, i) => ({
  source: (i * 5) % CATEGORIES,
  target: (i * 7 + 1) % CATEGORIES,
  relation: 1 + (i % 5),
  strength: 0.2 + (i % 4) / 5,
})).filter(({ source, target }) => source !== target);

let model: ModelFolder;
beforeAll(() => (model = openModelFolder(resolve('test/golden/tiny/clip'))));

interface Variant {
  form?: 'anchored' | 'residual' | 'plain';
  isr?: 'adaptive' | 'fixed' | 'off';
  layers?: number;
  trainedBlocks?: number;
  maxCategories?: number;
  microBatch?: number;
}

interface Setup {
  objective: Objective<RankingBatch>;
  parameters: Parameters;
}

async function open(variant: Variant): Promise<Setup> {
  const { form = 'anchored', isr = 'adaptive', layers = 2, trainedBlocks = 1 } = variant;
  const { config, tensors } = model;
  const d = config.projection_dim;
  const shape: HeadShape | undefined =
    form === 'anchored' ? (layers > 0 ? { layers, heads: 2 } : undefined) : { layers, heads: 2, hidden: d };
  const parameters = encoderParameters(tensors, config.vision_config.num_hidden_layers, trainedBlocks);
  // Away from the zeros that a head starts with: they would hide most of the gradient.
  for (const [name, { shape: dims, values }] of shape ? initialHead(form, shape, d, 1) : []) {
    const stream = randomStream('test', name);
    parameters.set(name, { shape: dims, values: values.map((value) => value + 0.2 * stream.normal()) });
  }
  const options: RankingOptions = {
    config,
    // A fixed number that is all of them: of fewer, one may change along the way, and the loss jump.
    head: headSettingsSchema.parse({ form, isr, patches: 1000 }),
    headShape: shape,
    parameters,
    trainedBlocks,
    text: unitRows('text', CATEGORIES, d),
    edges: EDGES,
    // So wide a margin that every pair counts: the number of pairs, by which the loss is divided, would jump.
    loss: { margin: 30, scale: 10, distillation: 0.5 },
    maxCategories: variant.maxCategories ?? CATEGORIES,
    microBatch: variant.microBatch ?? IMAGES,
  };
  return { objective: await createRankingObjective(options, DEVICE), parameters };
}

function unitRows(name: string, rows: number, d: number): Float32Array {
  const stream = randomStream(name);
  const values = Float32Array.from({ length: rows * d }, () => stream.normal());
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * d, (row + 1) * d);
    const length = Math.hypot(...own);
    for (let i = 0; i < d; i++) own[i] = own[i]! / length;
  }
  return values;
}

function batch(labels: RankingBatch['labels'] = LABELS): RankingBatch {
  const { tokens, width, d } = activationShape(model);
  const stream = randomStream('hidden');
  return {
    hidden: Float32Array.from({ length: labels.length * tokens * width }, () => stream.normal()),
    global: unitRows('global', labels.length, d),
    labels,
    sample: [1],
  };
}

const LABELS: RankingBatch['labels'] = [
  { present: [0, 3], absent: null },
  { present: [5], absent: [1, 2] },
  { present: [1, 2, 7], absent: null },
  { present: [11], absent: null },
  { present: [4], absent: [] },
];

const VARIANTS: [string, Variant][] = [
  ['anchored', {}],
  ['residual', { form: 'residual' }],
  ['plain', { form: 'plain' }],
  ['a fixed number of patches', { isr: 'fixed' }],
  ['without ISR', { isr: 'off' }],
  ['without IST', { layers: 0 }],
  ['residual without IST', { form: 'residual', layers: 0 }],
  ['plain without ISR', { form: 'plain', isr: 'off' }],
  ['no block trained', { trainedBlocks: 0 }],
  ['every block trained', { trainedBlocks: 3 }],
  ['a part of the vocabulary', { maxCategories: 9 }],
];

describe.each(VARIANTS)('%s', (_, variant) => {
  test('the gradient is the slope of the loss along it', async () => {
    const { objective, parameters } = await open(variant);
    const { losses, gradients } = await objective.gradients(parameters, batch());
    const squared = [...gradients.values()].flatMap((g) => [...g]).reduce((sum, g) => sum + g * g, 0);
    // A step that changes the loss by far more than float32 rounds it, and by far less than the loss is curved.
    const size = 4e-4 / Math.sqrt(squared);
    const moved = async (by: number): Promise<number> => {
      const there: Parameters = new Map(
        [...parameters].map(([name, { shape, values }]) => {
          const own = gradients.get(name)!;
          return [name, { shape, values: values.map((value, i) => value + by * own[i]!) }];
        }),
      );
      return (await objective.gradients(there, batch())).losses['loss']!;
    };
    const slope = ((await moved(size)) - (await moved(-size))) / (2 * size);
    expect(Math.abs(slope / squared - 1)).toBeLessThan(0.03);
    expect(losses['loss']).toBeCloseTo(losses['rank']! + 0.5 * losses['distillation']!, 5);
    await objective.release();
  });
});

test('parts of a batch add up to the whole', async () => {
  const whole = await open({});
  const parts = await open({ microBatch: 2 });
  const expected = await whole.objective.gradients(whole.parameters, batch());
  const actual = await parts.objective.gradients(parts.parameters, batch());
  expect(actual.losses['loss']).toBeCloseTo(expected.losses['loss']!, 5);
  for (const [name, values] of expected.gradients) {
    const error = values.reduce(
      (most, g, i) => Math.max(most, Math.abs(g - actual.gradients.get(name)![i]!)),
      0,
    );
    expect(error, name).toBeLessThan(1e-5);
  }
  await whole.objective.release();
  await parts.objective.release();
});

test('an image that could not be read has no part in loss and gradients', async () => {
  const { objective, parameters } = await open({});
  const without = await objective.gradients(parameters, batch(LABELS.slice(0, 4)));
  const given = batch([...LABELS.slice(0, 4), null]);
  const unread = await objective.gradients(parameters, given);
  expect(unread.losses['loss']).toBeCloseTo(without.losses['loss']!, 5);
  for (const [name, values] of without.gradients) {
    const error = values.reduce(
      (most, g, i) => Math.max(most, Math.abs(g - unread.gradients.get(name)![i]!)),
      0,
    );
    expect(error, name).toBeLessThan(1e-5);
  }
  await objective.release();
});
