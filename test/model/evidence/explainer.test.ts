/** Evidence of scores, against the golden reference and against what tagging computes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preprocess } from '../../../data/images/preprocess.ts';
import { openSafetensors, readFloats } from '../../../data/safetensors.ts';
import { createExplainer, type Explainer, type ImageFeatures } from '../../../model/evidence/explainer.ts';
import { openModelFolder, type ModelFolder } from '../../../model/modelFolder.ts';
import { createTagger, type Vocabulary } from '../../../model/tagger.ts';
import { goldenEdges } from '../../golden/edges.ts';
import { writeTrainedModel } from '../../support/headModel.ts';

const GOLDEN = fileURLToPath(new URL('../../golden/tiny', import.meta.url));
const DEVICE = { provider: 'cpu', threads: 1 } as const;
const MAX_PIXELS = 1e8;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'c2srt-evidence-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const encoder = openSafetensors(join(GOLDEN, 'encoder.safetensors'));
const text = readFloats(encoder.get('text')!);
const [count, d] = encoder.get('text')!.shape as [number, number];

/** What the reference's encoder says of its images. */
function goldenImages(): ImageFeatures[] {
  const [images, patchCount] = encoder.get('patches')!.shape as [number, number];
  const global = readFloats(encoder.get('global')!);
  const patches = readFloats(encoder.get('patches')!);
  return Array.from({ length: images }, (_, i) => ({
    global: global.subarray(i * d, (i + 1) * d),
    patches: patches.subarray(i * patchCount * d, (i + 1) * patchCount * d),
  }));
}

const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

describe.each(['anchored', 'residual', 'plain'] as const)('of the %s form', (form) => {
  const head = openSafetensors(join(GOLDEN, `head-${form}.safetensors`));
  const golden = (name: string) => readFloats(head.get(`trace.${name}`)!);
  const vocabulary: Vocabulary = {
    text,
    asked: count,
    edges: goldenEdges(head),
    hopOffsets: [count, count, count],
  };
  let model: ModelFolder;
  let explainer: Explainer;
  beforeAll(async () => {
    const dir = join(folder, form);
    writeTrainedModel(dir, { categories: [], edges: [], head: true, form });
    model = openModelFolder(dir);
    explainer = await createExplainer(model, DEVICE);
  });
  afterAll(() => explainer.release());

  it("keeps the reference's patches and gives its scores, from a category's neighbourhood alone", async () => {
    const images = goldenImages();
    const keep = golden('keep');
    const local = golden('f_L');
    const start = golden('h0');
    const score = golden('score');
    const patchCount = keep.length / images.length / count;
    for (let category = 0; category < count; category++) {
      const evidence = await explainer.explain(vocabulary, category, images);
      const own = text.subarray(category * d, (category + 1) * d);
      for (const [i, found] of evidence.entries()) {
        const at = i * count + category;
        const kept = [...keep.subarray(at * patchCount, (at + 1) * patchCount).keys()].filter(
          (p) => keep[at * patchCount + p]! > 0,
        );
        expect(found.patches.map(({ index }) => index).sort((a, b) => a - b)).toEqual(kept);
        expect(found.score).toBeCloseTo(score[at]!, 4);
        expect(found.globalScore).toBeCloseTo(cosine(images[i]!.global, own), 4);
        expect(found.localScore).toBeCloseTo(cosine(local.subarray(at * d, (at + 1) * d), own), 4);
        expect(found.scoreBeforeTransfer).toBeCloseTo(cosine(start.subarray(at * d, (at + 1) * d), own), 4);
        const probabilities = found.patches.map(({ probability }) => probability);
        expect(probabilities).toEqual(probabilities.toSorted((a, b) => b - a));
      }
    }
  });

  it("a neighbour's change is what its edges add to the score that tagging gives", async () => {
    const names = await readdir(join(GOLDEN, 'images'));
    const decoded = await Promise.all(
      names
        .slice(0, 2)
        .map(async (name) =>
          preprocess(await readFile(join(GOLDEN, 'images', name)), model.preprocess, MAX_PIXELS),
        ),
    );
    const pixels = new Uint8Array(Buffer.concat(decoded.map((image) => image.pixels)));
    const scoresOf = async (edges: Vocabulary['edges']): Promise<Float32Array> => {
      const options = { batchSize: 2, embedding: false };
      const tagger = await createTagger(model, [{ ...vocabulary, edges }], DEVICE, options);
      const { scores } = await tagger.run(pixels.slice());
      await tagger.release();
      return scores;
    };
    const images = await explainer.encode(pixels);
    const whole = await scoresOf(vocabulary.edges);
    const degree = (category: number) => vocabulary.edges.filter(({ target }) => target === category).length;
    const category = [...Array(count).keys()].sort((a, b) => degree(b) - degree(a))[0]!;
    const evidence = await explainer.explain(vocabulary, category, images);
    const sources = new Set(
      vocabulary.edges.filter(({ target }) => target === category).map(({ source }) => source),
    );
    expect(sources.size).toBeGreaterThan(1);
    expect(new Set(evidence[0]!.neighbours.map(({ node }) => node))).toEqual(sources);
    for (const source of sources) {
      const without = await scoresOf(
        vocabulary.edges.filter((edge) => edge.source !== source || edge.target !== category),
      );
      for (const [i, { score, neighbours }] of evidence.entries()) {
        const at = i * count + category;
        expect(score).toBeCloseTo(whole[at]!, 5);
        const { change } = neighbours.find(({ node }) => node === source)!;
        expect(change).toBeCloseTo(whole[at]! - without[at]!, 5);
      }
    }
    expect(evidence.some(({ neighbours }) => neighbours.some(({ change }) => Math.abs(change) > 1e-5))).toBe(
      true,
    );
    for (const { neighbours } of evidence) {
      const sizes = neighbours.map(({ change }) => Math.abs(change));
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    }
  });
});

it('an untrained head has no neighbours: its score is that of CLIP + ISR', async () => {
  const dir = join(folder, 'untrained');
  writeTrainedModel(dir, { categories: [], edges: [], head: false });
  const model = openModelFolder(dir);
  const vocabulary = { text, asked: count, edges: [], hopOffsets: [count] };
  const explainer = await createExplainer(model, DEVICE);
  const [found] = await explainer.explain(vocabulary, 0, goldenImages().slice(0, 1));
  await explainer.release();
  expect(found).toMatchObject({ neighbours: [], score: found!.scoreBeforeTransfer });
  expect(found!.patches.length).toBeGreaterThan(0);
});
