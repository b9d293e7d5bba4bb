/** Several vocabularies in one tagging graph: one encoder, a head for each, and the scores that each has alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomNumbers, writeCheckpoint } from '../../bench/checkpoint.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import { decodeGraph } from '../../model/onnx/proto.ts';
import { decideAllTags, decideTags, tagDecision } from '../../model/tagDecision.ts';
import { buildTaggingGraph, createTagger, type BatchScores, type Vocabulary } from '../../model/tagger.ts';
import { TINY_MODEL } from '../support/slowModel.ts';

const LAYERS = 2;
const IMAGES = 5;
const FORMS = ['anchored', 'residual', 'plain'] as const;

let root: string;
const models: Record<string, ModelFolder> = {};
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'c2srt-vocabularies-'));
  for (const form of FORMS) {
    const tower = { hidden_size: 32, intermediate_size: 64, num_hidden_layers: 3, num_attention_heads: 4 };
    writeCheckpoint(
      join(root, form),
      {
        projection: 32,
        vision: { ...tower, image_size: 32, patch_size: 8 },
        head: { form, layers: LAYERS, heads: 4 },
      },
      join(TINY_MODEL, 'tokenizer.json'),
    );
    models[form] = openModelFolder(join(root, form));
  }
});
afterAll(() => rmSync(root, { recursive: true }));

/** A vocabulary with seen neighbours within both hops, and a graph of its own. */
function vocabularyOf(seed: number, [asked, near, all]: [number, number, number]): Vocabulary {
  const d = 32;
  const random = randomNumbers(seed);
  const text = Float32Array.from({ length: all * d }, random);
  for (let row = 0; row < text.length; row += d) {
    const norm = Math.hypot(...text.subarray(row, row + d));
    for (let i = 0; i < d; i++) text[row + i]! /= norm;
  }
  // What informs an asked category is near; what informs one of those may be any.
  const edges = Array.from({ length: 4 * all }, (_, i) => {
    const target = (i * 3) % near;
    const source = (i * 7 + seed) % (target < asked ? near : all);
    return { source, target, relation: 1 + (i % 5), strength: ((i % 9) + 1) / 10 };
  });
  return { text, asked, edges, hopOffsets: [asked, near, all] };
}

const ANIMALS = vocabularyOf(1, [11, 14, 17]);
const FOOD = vocabularyOf(2, [70, 80, 90]);

const pixels = Uint8Array.from({ length: IMAGES * 32 * 32 * 3 }, (_, i) => (i * i * 31 + i) % 256);

async function scored(model: ModelFolder, ...vocabularies: Vocabulary[]): Promise<BatchScores> {
  const device = { provider: 'cpu', threads: 2 } as const;
  const tagger = await createTagger(model, vocabularies, device, { batchSize: 16, embedding: true });
  try {
    return await tagger.run(pixels);
  } finally {
    await tagger.release();
  }
}

describe.each(FORMS)('in the %s form', (form) => {
  it('the scores are bit for bit those of each vocabulary alone, in any order', async () => {
    const model = models[form]!;
    const [animals, food] = [await scored(model, ANIMALS), await scored(model, FOOD)];
    const joint = await scored(model, ANIMALS, FOOD, ANIMALS);
    expect(joint.embeddings).toEqual(animals.embeddings);
    for (let image = 0; image < IMAGES; image++) {
      const [own, other] = [
        [...animals.scores.subarray(image * 11, (image + 1) * 11)],
        [...food.scores.subarray(image * 70, (image + 1) * 70)],
      ];
      expect([...joint.scores.subarray(image * 92, (image + 1) * 92)]).toEqual([...own, ...other, ...own]);
      expect(new Set(own).size).toBeGreaterThan(5);
    }
  });

  it('images are encoded once: what a vocabulary adds to the graph is its head', () => {
    const model = models[form]!;
    const options = { batchSize: 16, embedding: true };
    const opsOf = (...vocabularies: Vocabulary[]): Map<string, number> => {
      const { node } = decodeGraph(buildTaggingGraph(model, vocabularies, options).bytes);
      const counts = new Map<string, number>();
      for (const { opType } of node) counts.set(opType, (counts.get(opType) ?? 0) + 1);
      return counts;
    };
    const [one, two] = [opsOf(ANIMALS), opsOf(ANIMALS, FOOD)];
    // Only the encoder has these.
    for (const op of ['LayerNormalization']) {
      expect(one.get(op), op).toBeGreaterThan(0);
      expect(two.get(op), op).toBe(one.get(op));
    }
    const total = (counts: Map<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
    expect(total(two)).toBeGreaterThan(total(one));
    expect(total(two)).toBeLessThan(2 * total(one));
  });
});

it('the batch is bounded by all vocabularies together', async () => {
  const model = { ...models['anchored']!, head: undefined };
  const text = new Float32Array(60_000 * 32).fill(32 ** -0.5);
  const large: Vocabulary = { text, asked: 60_000, edges: [], hopOffsets: [60_000] };
  const batchOf = async (...vocabularies: Vocabulary[]): Promise<number> => {
    const tagger = await createTagger(
      model,
      vocabularies,
      { provider: 'cpu', threads: 1 },
      { batchSize: 64, embedding: false },
    );
    await tagger.release();
    return tagger.batchSize;
  };
  const one = await batchOf(large);
  expect(one).toBeLessThan(64);
  expect(await batchOf(large, large)).toBe(Math.floor(one / 2));
});

it('each vocabulary has its own thresholds and limits, and its tags its name', () => {
  const decisions = [
    tagDecision({ vocabulary: 'animals', categories: [{ name: 'dog' }, { name: 'cat' }], topK: 1 }),
    tagDecision({
      vocabulary: 'food',
      categories: [{ name: 'cake', threshold: 0.4 }, { name: 'dog' }],
      threshold: 0.2,
    }),
  ];
  const scores = Float32Array.of(0.5, 0.75, 0.25, 0.125);
  expect(decideAllTags(scores, decisions)).toEqual([
    { vocabulary: 'animals', label: 'cat', score: 0.75, rawScore: null },
    { vocabulary: 'food', label: 'cake', score: 0.25, rawScore: null },
  ]);
  expect(decideTags(scores.subarray(2), decisions[1]!)).toEqual(decideAllTags(scores, decisions).slice(1));
});

it('a calibrated score has the raw one beside it', () => {
  const calibration = {
    version: 1,
    slope: 4,
    intercept: -1,
    thresholds: {},
    fallbackThreshold: 0.5,
  } as const;
  const [dog, ...others] = decideTags(
    Float32Array.of(0.75, -0.5),
    tagDecision({ categories: [{ name: 'dog' }, { name: 'cat' }], calibration }),
  );
  expect(dog).toEqual({
    vocabulary: null,
    label: 'dog',
    score: Math.fround(1 / (1 + Math.exp(-2))),
    rawScore: 0.75,
  });
  expect(others).toEqual([]);
});
