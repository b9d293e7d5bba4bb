import * as ort from 'onnxruntime-node';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pairTargets } from '../../../model/pretrain/contrastiveFeeds.ts';
import {
  attendedSimilarities,
  contrastiveLoss,
  limitedGradient,
  limitedScale,
} from '../../../model/pretrain/contrastiveLoss.ts';
import { gradients } from '../../../model/onnx/gradients.ts';
import { Graph } from '../../../model/onnx/graph.ts';
import { createSession } from '../../../model/onnx/session.ts';

const DEVICE = { provider: 'cpu', threads: 1 } as const;
const tensor = (values: Iterable<number>, shape: number[]) =>
  new ort.Tensor('float32', Float32Array.from(values), shape);

const lossSession = async () => {
  const graph = new Graph('loss');
  const similarities = graph.input('similarities', 'float32', ['B', 'B']);
  const logScale = graph.input('logScale', 'float32', []);
  const targets = graph.input('targets', 'float32', ['B', 'B']);
  const loss = contrastiveLoss(similarities, limitedScale(logScale), targets);
  const [dSimilarities, dLogScale] = gradients(loss, [similarities, logScale]);
  graph.output('loss', loss);
  graph.output('dSimilarities', dSimilarities!);
  graph.output('dLogScale', limitedGradient(dLogScale!, logScale));
  return createSession(graph.encode(), DEVICE);
};
const session = await lossSession();

async function evaluate(rows: number[][], texts: number[][], logScale: number) {
  const size = rows.length;
  const results = await session.run({
    similarities: tensor(rows.flat(), [size, size]),
    logScale: tensor([logScale], []),
    targets: tensor(pairTargets(texts), [size, size]),
  });
  const values = (name: string) => [...(results[name]!.data as Float32Array)];
  return {
    loss: values('loss')[0]!,
    dSimilarities: values('dSimilarities'),
    dLogScale: values('dLogScale')[0]!,
  };
}

/** The definition, in double precision. */
function expectedLoss(rows: number[][], texts: number[][], scale: number): number {
  const size = rows.length;
  const crossEntropy = (logits: number[][]) => {
    let sum = 0;
    for (const [i, row] of logits.entries()) {
      const largest = Math.max(...row);
      const logSum = largest + Math.log(row.reduce((total, x) => total + Math.exp(x - largest), 0));
      const equal = [...row.keys()].filter((j) => String(texts[j]) === String(texts[i]));
      for (const j of equal) sum += (logSum - row[j]!) / equal.length;
    }
    return sum / size;
  };
  const logits = rows.map((row) => row.map((x) => scale * x));
  const transposed = logits.map((_, j) => logits.map((row) => row[j]!));
  return (crossEntropy(logits) + crossEntropy(transposed)) / 2;
}

const batch = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.record({
    rows: fc.array(
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: size, maxLength: size }),
      {
        minLength: size,
        maxLength: size,
      },
    ),
    texts: fc.array(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 2 }), {
      minLength: size,
      maxLength: size,
    }),
  }),
);

describe('contrastive loss', () => {
  test('is the definition, whatever texts are equal, at any scale', async () => {
    await fc.assert(
      fc.asyncProperty(
        batch,
        fc.double({ min: 0, max: Math.log(100), noNaN: true }),
        async ({ rows, texts }, logScale) => {
          const { loss } = await evaluate(rows, texts, logScale);
          const expected = expectedLoss(rows, texts, Math.exp(logScale));
          expect(Math.abs(loss - expected)).toBeLessThan(1e-5 * Math.max(10, expected));
        },
      ),
    );
  });
  test('stays finite, and its gradient too, where nothing is right at the largest scale', async () => {
    const wrong = [
      [-1, 1],
      [1, -1],
    ];
    const { loss, dSimilarities } = await evaluate(wrong, [[1], [2]], 10);
    expect(loss).toBeCloseTo(200, 3);
    expect(dSimilarities.map((x) => Math.round(x))).toEqual([-50, 50, 50, -50]);
  });
  test('is 0 where each pair is found, and log n where n texts are equal', async () => {
    const right = [
      [1, -1],
      [-1, 1],
    ];
    expect((await evaluate(right, [[1], [2]], 4)).loss).toBeCloseTo(0, 6);
    const even = [
      [0.3, 0.3],
      [0.3, 0.3],
    ];
    const equal = await evaluate(even, [[1], [1]], 4);
    expect(equal.loss).toBeCloseTo(Math.LN2, 6);
    expect(Math.max(...equal.dSimilarities.map(Math.abs))).toBeLessThan(1e-5);
  });
});

describe('the logit scale', () => {
  const right = [
    [0.8, 0.7],
    [0.7, 0.8],
  ];
  const wrong = [
    [0.7, 0.8],
    [0.8, 0.7],
  ];
  const texts = [[1], [2]];
  test('is at most 100', async () => {
    const limit = await evaluate(wrong, texts, Math.log(100));
    const beyond = await evaluate(wrong, texts, Math.log(100) + 3);
    expect(beyond.loss).toBeCloseTo(limit.loss, 3);
  });
  test('has a gradient that leads back from beyond, but none that leads further', async () => {
    expect((await evaluate(wrong, texts, 4)).dLogScale).toBeGreaterThan(1);
    expect((await evaluate(wrong, texts, 5)).dLogScale).toBeGreaterThan(1);
    expect((await evaluate(right, texts, 3)).dLogScale).toBeLessThan(-0.1);
    expect((await evaluate(right, texts, 5)).dLogScale).toBe(0);
  });
});

test('attended similarity: the mean cosine of the patches, weighted towards those like the text', async () => {
  const graph = new Graph('attended');
  const patches = graph.input('patches', 'float32', ['B', 3, 2]);
  const texts = graph.input('texts', 'float32', ['B', 2]);
  graph.output('attended', attendedSimilarities(patches, texts, 0.5));
  const own = await createSession(graph.encode(), DEVICE);
  const images = [
    [
      [1, 0],
      [0, 1],
      [0.6, 0.8],
    ],
    [
      [-1, 0],
      [0, -1],
      [-0.6, 0.8],
    ],
  ];
  const words = [
    [1, 0],
    [0.8, 0.6],
  ];
  const results = await own.run({
    patches: tensor(images.flat(2), [2, 3, 2]),
    texts: tensor(words.flat(), [2, 2]),
  });
  const expected = images.flatMap((image) =>
    words.map(([x, y]) => {
      const cosines = image.map(([a, b]) => a! * x! + b! * y!);
      const weights = cosines.map((cosine) => Math.exp(cosine / 0.5));
      const total = weights.reduce((a, b) => a + b);
      return cosines.reduce((sum, cosine, p) => sum + (cosine * weights[p]!) / total, 0);
    }),
  );
  const values = results['attended']!.data as Float32Array;
  for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
  await own.release();
});
