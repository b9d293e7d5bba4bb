import * as ort from 'onnxruntime-node';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { selectPatches, type IsrSettings } from '../../model/head/isr.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { createSession } from '../../model/onnx/session.ts';

const PATCHES = 7;

/** What is kept of patches whose similarities to two categories are given; [1, 0] and [0, 1] as texts read them off. */
async function keep(similarities: readonly [number, number][], settings: IsrSettings): Promise<number[][]> {
  const graph = new Graph('isr');
  const patches = graph.input('patches', 'float32', ['B', PATCHES, 2]);
  const text = graph.constant(Float32Array.of(1, 0, 0, 1), [2, 2]);
  graph.output('keep', selectPatches(patches, text, settings));
  const session = await createSession(graph.encode(), { provider: 'cpu', threads: 1 });
  const feed = new ort.Tensor('float32', Float32Array.from(similarities.flat()), [1, PATCHES, 2]);
  const kept = [...((await session.run({ patches: feed }))['keep']!.data as Float32Array)];
  await session.release();
  return [kept.slice(0, PATCHES), kept.slice(PATCHES)];
}

/** Patches from the most similar on; of equal ones the lower index first. */
const order = (values: readonly number[]): number[] =>
  [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);

// Few different values, so that many are equal.
const similarity = fc.integer({ min: -3, max: 3 }).map((value) => value / 4);
const patches = fc.array(fc.tuple(similarity, similarity), { minLength: PATCHES, maxLength: PATCHES });

test('a fixed number keeps the most similar patches, of equal ones those with the lower index', async () => {
  await fc.assert(
    fc.asyncProperty(patches, fc.integer({ min: 1, max: PATCHES + 2 }), async (given, count) => {
      const kept = await keep(given, { isr: 'fixed', patches: count, tau: 0.1, alpha: 0.5, cap: 32 });
      for (const category of [0, 1] as const) {
        const best = order(given.map((own) => own[category])).slice(0, count);
        expect(kept[category]).toEqual(given.map((_, p) => (best.includes(p) ? 1 : 0)));
      }
    }),
    { numRuns: 40 },
  );
});

test('an adaptive number keeps patches until their probabilities reach alpha, at most cap', async () => {
  await fc.assert(
    fc.asyncProperty(
      patches,
      fc.constantFrom(0.3, 0.55, 0.9),
      fc.integer({ min: 1, max: PATCHES }),
      async (given, alpha, cap) => {
        // A temperature at which no sum of these probabilities lies on an alpha.
        const tau = 0.37;
        const kept = await keep(given, { isr: 'adaptive', patches: 1, tau, alpha, cap });
        for (const category of [0, 1] as const) {
          const weights = given.map((own) => Math.exp(own[category] / tau));
          const total = weights.reduce((a, b) => a + b);
          const expected = new Array<number>(PATCHES).fill(0);
          let before = 0;
          for (const p of order(given.map((own) => own[category])).slice(0, cap)) {
            if (before >= alpha) break;
            expected[p] = 1;
            before += weights[p]! / total;
          }
          expect(kept[category]).toEqual(expected);
        }
      },
    ),
    { numRuns: 40 },
  );
});
