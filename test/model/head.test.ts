import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { subgraph } from '../../data/subgraph.ts';
import { RELATIONS, type GraphEdge } from '../../data/graphFile.ts';
import { headWorld, runHead } from './headGraph.ts';

const world = headWorld();
const all = Array.from({ length: world.categories }, (_, i) => i);
const everything = { nodes: all, hopOffsets: [all.length, all.length, all.length], chunkSize: all.length };
const forms = ['anchored', 'residual', 'plain'] as const;

describe.each(forms)('the %s head', (form) => {
  test('gives the same scores whatever chunks its categories are worked on in', async () => {
    const whole = await runHead(world, { form, ...everything });
    for (const chunkSize of [1, 3, 7]) {
      const chunked = await runHead(world, { form, ...everything, chunkSize });
      expect(largestDifference(chunked, whole)).toBeLessThan(2e-6);
    }
  });

  test('gives an image the same bytes in any batch', async () => {
    const whole = await runHead(world, { form, ...everything });
    const parts = [
      await runHead(world, { form, ...everything, images: [0, 1] }),
      await runHead(world, { form, ...everything, images: [1, world.batch] }),
    ];
    expect(Buffer.from(Float32Array.from(parts.flatMap((part) => [...part])).buffer)).toEqual(
      Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength),
    );
  });

  test('scores asked categories alone as it does within the whole graph', async () => {
    const whole = await runHead(world, { form, ...everything });
    const graph = {
      edges: world.edges.map(({ source, target, relation, strength }): GraphEdge => ({
        source: `${source}`,
        target: `${target}`,
        relation: RELATIONS[relation] as GraphEdge['relation'],
        strength,
      })),
    };
    const names = all.map(String);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: all.length - 1 }), { minLength: 1, maxLength: 4 }),
        async (asked) => {
          const { nodes, hopOffsets } = subgraph(graph, asked.map(String), new Set(names), 2);
          const scores = await runHead(world, {
            form,
            nodes: nodes.map(Number),
            hopOffsets,
            chunkSize: nodes.length,
          });
          const expected = Float32Array.from(
            { length: world.batch * asked.length },
            (_, i) => whole[Math.floor(i / asked.length) * all.length + asked[i % asked.length]!]!,
          );
          expect(largestDifference(scores, expected)).toBeLessThan(2e-6);
        },
      ),
      { numRuns: 10, seed: 7 },
    );
  });
});

test('an untrained head asks for no graph, and a category scores the same whatever else is asked', async () => {
  const whole = await runHead(world, { form: 'anchored', ...everything, trained: false });
  const alone = await runHead(world, {
    form: 'anchored',
    nodes: [4],
    hopOffsets: [1],
    chunkSize: 1,
    trained: false,
  });
  expect(alone).toHaveLength(world.batch);
  for (const [image, score] of alone.entries())
    expect(Math.abs(score - whole[image * all.length + 4]!)).toBeLessThan(1e-6);
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}
