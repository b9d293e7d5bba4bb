import { afterAll, describe, expect, test } from 'vitest';
import type { ContrastiveBatch } from '../../../model/pretrain/contrastiveFeeds.ts';
import { buildContrastiveGraph, type ContrastiveOptions } from '../../../model/pretrain/contrastiveGraph.ts';
import { Graph } from '../../../model/onnx/graph.ts';
import { decodeGraph } from '../../../model/onnx/proto.ts';
import { createContrastiveObjective } from '../../../model/pretrain/contrastiveObjective.ts';
import { initialClipParameters } from '../../../model/pretrain/initialise.ts';
import { shownPatchCount } from '../../../model/pretrain/shownPatches.ts';
import { randomStream } from '../../../data/random.ts';
import { initialState } from '../../../model/train/adamw.ts';
import type { StepGradients } from '../../../model/train/objective.ts';
import { createTrainer } from '../../../model/train/trainer.ts';
import { livelyParameters, TINY, TINY_OPTIONS, TINY_PATCHES, tinyBatch } from './smallWorld.ts';

const DEVICE = { provider: 'cpu', threads: 1 } as const;
const POSITIONS = 'vision_model.embeddings.position_embedding.weight';
const TOKENS = 'text_model.embeddings.token_embedding.weight';

const usual = createContrastiveObjective(TINY_OPTIONS, DEVICE);
afterAll(() => usual.release());

const gradientsOf = (batch: ContrastiveBatch): Promise<StepGradients> =>
  usual.gradients(livelyParameters(), batch);

async function gradientsWith(options: ContrastiveOptions, batch: ContrastiveBatch): Promise<StepGradients> {
  const objective = createContrastiveObjective(options, DEVICE);
  try {
    return await objective.gradients(livelyParameters(), batch);
  } finally {
    await objective.release();
  }
}

describe('the gradient of every parameter is the slope:', () => {
  test.each([
    ['all patches', tinyBatch(5, TINY_PATCHES, 1), TINY_OPTIONS],
    ['some patches', tinyBatch(4, 5, 2), TINY_OPTIONS],
    ['no local term', tinyBatch(4, TINY_PATCHES, 3), { ...TINY_OPTIONS, localWeight: 0 }],
  ] as const)('%s', async (_, batch, options) => {
    const parameters = livelyParameters();
    const objective = createContrastiveObjective(options, DEVICE);
    const { gradients } = await objective.gradients(parameters, batch);
    const loss = async () => (await objective.gradients(parameters, batch)).losses['loss']!;
    const step = 1e-2;
    for (const [name, { values }] of parameters) {
      const gradient = gradients.get(name)!;
      expect(gradient).toHaveLength(values.length);
      // In a random direction all entries of a parameter count.
      for (const direction of [0, 1]) {
        const random = randomStream('direction', name, direction);
        const along = Float64Array.from(values, () => random.normal());
        const length = Math.hypot(...along);
        const start = values.slice();
        const at = async (delta: number) => {
          for (let i = 0; i < values.length; i++) values[i] = start[i]! + (delta * along[i]!) / length;
          return loss();
        };
        const slope =
          (8 * ((await at(step)) - (await at(-step))) - ((await at(2 * step)) - (await at(-2 * step)))) /
          (12 * step);
        values.set(start);
        const own = along.reduce((sum, x, i) => sum + (x / length) * gradient[i]!, 0);
        const limit = 4e-3 * Math.max(0.2, Math.abs(slope));
        expect(Math.abs(own - slope), `${name}: ${own}, slope ${slope}`).toBeLessThan(limit);
      }
    }
    await objective.release();
  });
});

test('the loss is the global one and the weighted local one; without local term mentions do not count', async () => {
  const batch = tinyBatch(4, TINY_PATCHES, 4);
  const { losses } = await gradientsOf(batch);
  expect(losses['loss']).toBeCloseTo(losses['global']! + 0.5 * losses['local']!, 5);
  const without = await gradientsWith({ ...TINY_OPTIONS, localWeight: 0 }, { ...batch, mentions: [] });
  expect(without.losses).toEqual({ loss: losses['global'], global: losses['global'] });
});

test('only tokens of the batch have a gradient, and what pads a text changes nothing', async () => {
  const batch = tinyBatch(4, TINY_PATCHES, 5);
  const result = await gradientsOf(batch);
  const used = new Set([...batch.captions, ...batch.mentions].flat());
  const touched = rowsWithGradient(result, TOKENS, 20);
  expect(touched).toEqual([...used].sort((a, b) => a - b));
  const longer = await gradientsWith({ ...TINY_OPTIONS, captionTokens: 10, mentionTokens: 7 }, batch);
  expect(longer.losses['loss']).toBeCloseTo(result.losses['loss']!, 6);
  for (const [name, values] of longer.gradients) {
    const expected = result.gradients.get(name)!;
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  }
});

describe('dropped patches', () => {
  test('have no influence, and those that are shown have', async () => {
    const batch = tinyBatch(3, 4, 7);
    const before = await gradientsOf(batch);
    // Row 0 is the class token's.
    const shown = rowsWithGradient(before, POSITIONS, 1 + TINY_PATCHES);
    expect(shown).toHaveLength(5);
    expect(shown[0]).toBe(0);
    for (let patch = 0; patch < TINY_PATCHES; patch++) {
      const pixels = batch.pixels.slice();
      const [top, left] = [4 * Math.floor(patch / 3), 4 * (patch % 3)];
      for (let y = top; y < top + 4; y++) pixels.fill(255, 3 * (12 * y + left), 3 * (12 * y + left + 4));
      const after = await gradientsOf({ ...batch, pixels });
      if (shown.includes(1 + patch)) expect(after.losses['loss']).not.toBe(before.losses['loss']);
      else expect(after).toEqual(before);
    }
  });
  test('are the same in the same step and others in another', async () => {
    const shown = async (step: number) =>
      rowsWithGradient(
        await gradientsOf({ ...tinyBatch(3, 4, 7), key: ['seed', step] }),
        POSITIONS,
        1 + TINY_PATCHES,
      ).join();
    expect(await shown(1)).toEqual(await shown(1));
    expect(new Set([await shown(1), await shown(2), await shown(3), await shown(4)]).size).toBeGreaterThan(2);
  });
  test('are none at the end', () => {
    const settings = { patchShare: 0.5, wholeImagesFrom: 0.75 };
    const counts = Array.from({ length: 8 }, (_, step) => shownPatchCount(settings, 64, step, 8));
    expect(counts).toEqual([32, 32, 32, 32, 32, 32, 64, 64]);
    expect(shownPatchCount({ patchShare: 0.001, wholeImagesFrom: 1 }, 64, 0, 8)).toBe(1);
    expect(shownPatchCount({ patchShare: 0.5, wholeImagesFrom: 0 }, 64, 0, 8)).toBe(64);
  });
});

describe('equal texts', () => {
  test('are not negatives of each other: equal images with one text have nothing to learn', async () => {
    const batch = tinyBatch(4, TINY_PATCHES, 8);
    const first = batch.pixels.subarray(0, batch.pixels.length / 4);
    const { losses, gradients } = await gradientsOf({
      ...batch,
      pixels: Uint8Array.from({ length: batch.pixels.length }, (_, i) => first[i % first.length]!),
      captions: batch.captions.map(() => batch.captions[0]!),
      mentions: batch.mentions.map(() => batch.mentions[0]!),
    });
    expect(losses['global']).toBeCloseTo(Math.log(4), 5);
    expect(losses['local']).toBeCloseTo(Math.log(4), 5);
    for (const [name, values] of gradients)
      expect(
        values.every((value) => Math.abs(value) < 1e-5),
        name,
      ).toBe(true);
  });
});

test('a training learns eight pairs by heart, first from some patches, then from all', async () => {
  const parameters = initialClipParameters(TINY, 1);
  const trainer = await createTrainer(
    createContrastiveObjective({ ...TINY_OPTIONS, mentionTokens: 3 }, DEVICE),
    parameters,
    {
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
      decays: (name) => name !== 'logit_scale',
      groupOf: () => 'all',
    },
    DEVICE,
  );
  const drawn = tinyBatch(8, TINY_PATCHES, 10);
  const batch = {
    ...drawn,
    captions: drawn.captions.map((_, i) => [18, 1 + (i % 4), 10 + Math.floor(i / 4), 19]),
    mentions: drawn.mentions.map((_, i) => [18, 1 + i, 19]),
  };
  let state = initialState(parameters);
  const losses: Record<string, number>[] = [];
  for (let step = 0; step < 200; step++) {
    const shownPatches = step < 150 ? 6 : TINY_PATCHES;
    const result = await trainer.step(state, { ...batch, shownPatches, key: [step] }, { all: 1e-2 });
    state = result.state;
    losses.push(result.losses);
  }
  await trainer.release();
  expect(losses[0]!['global']).toBeGreaterThan(1.5);
  expect(losses.at(-1)!['global']).toBeLessThan(0.05);
  expect(losses.at(-1)!['local']).toBeLessThan(0.2);
});

test('the graph has no scatter', () => {
  const graph = new Graph('step');
  buildContrastiveGraph(graph, TINY_OPTIONS, 5);
  const ops = new Set(decodeGraph(graph.encode()).node.map(({ opType }) => opType));
  expect(ops).toContain('Gather');
  expect([...ops].filter((op) => op.startsWith('Scatter'))).toEqual([]);
});

describe('a batch that does not fit fails:', () => {
  test('a caption longer than the graph takes', async () => {
    const batch = { ...tinyBatch(2, 9, 1), captions: [[18, 19], Array.from({ length: 7 }, () => 1)] };
    await expect(gradientsOf(batch)).rejects.toMatchObject({ code: 'Pretrain.Caption' });
  });
  test('more images than captions', async () => {
    const batch = { ...tinyBatch(3, 9, 1), captions: [[18, 19]] };
    await expect(gradientsOf(batch)).rejects.toMatchObject({ code: 'Pretrain.Batch' });
  });
});

/** Rows of a parameter [count, width] that have a gradient. */
function rowsWithGradient({ gradients }: StepGradients, name: string, count: number): number[] {
  const values = gradients.get(name)!;
  const width = values.length / count;
  return Array.from({ length: count }, (_, row) => row).filter((row) =>
    values.subarray(width * row, width * (row + 1)).some((value) => value !== 0),
  );
}
