import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeTexts } from '../../model/clip/text.ts';
import { checkpointWeights } from '../../model/clip/weights.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { decodeGraph } from '../../model/onnx/proto.ts';
import { buildTaggingGraph } from '../../model/tagger.ts';
import { openSafetensors } from '../../data/safetensors.ts';

/*
 * ONNX Runtime sums wrongly in ScatterND with a reduction on several threads (docs/decisions/0003-neighbour-tables.md).
 */
const golden = 'test/golden/tiny';

/** The golden checkpoint with the golden head of a form, as a trained model's folder has both in one. */
function modelWithHead(form: 'anchored' | 'residual' | 'plain'): ModelFolder {
  const model = openModelFolder(join(golden, 'clip'));
  const tensors = new Map(model.tensors);
  const head = openSafetensors(join(golden, `head-${form}.safetensors`));
  for (const [name, entry] of head)
    if (name.startsWith('param.')) tensors.set(name.replace('param.', 'head.'), entry);
  const { layers, heads, hidden } = { layers: 2, heads: 4, hidden: tensors.get('head.fc1.weight')?.shape[0] };
  return {
    ...model,
    config: { ...model.config, c2srt: { ...model.config.c2srt, form } },
    tensors,
    head: { layers, heads, ...(hidden !== undefined && { hidden }) },
  };
}

/** The kinds of node in a graph's bytes. */
const opsOf = (bytes: Uint8Array): Set<string> =>
  new Set(decodeGraph(bytes).node.map(({ opType }) => opType));

const SCATTERS = ['ScatterND', 'ScatterElements', 'Scatter'];

test.each(['anchored', 'residual', 'plain'] as const)(
  'the tagging graph of the %s form has no scatter',
  (form) => {
    const model = modelWithHead(form);
    const [nodes, d] = [40, model.config.projection_dim];
    const edges = Array.from({ length: 200 }, (_, i) => ({
      source: (i * 7) % nodes,
      target: (i * 3) % nodes,
      relation: 1 + (i % 5),
      strength: 1,
    }));
    const vocabulary = {
      text: new Float32Array(nodes * d).fill(d ** -0.5),
      asked: 30,
      edges,
      hopOffsets: [30, 35, 40],
    };
    const { bytes } = buildTaggingGraph(model, [vocabulary], { batchSize: 4, embedding: true });
    const ops = opsOf(bytes);
    expect(ops, 'the head is in the graph').toContain('LeakyRelu');
    expect(SCATTERS.filter((op) => ops.has(op))).toEqual([]);
  },
);

test('the text encoder has no scatter', () => {
  const model = openModelFolder(join(golden, 'clip'));
  const graph = new Graph('text');
  const length = model.config.text_config.max_position_embeddings;
  const ids = graph.input('ids', 'int64', ['N', length]);
  const pool = graph.input('pool', 'float32', ['N', 1, length]);
  const weights = checkpointWeights(graph, model.tensors, model.dir);
  graph.output('features', encodeTexts(graph, ids, pool, model.config, weights));
  const ops = opsOf(graph.encode());
  expect(ops).toContain('MatMul');
  expect(SCATTERS.filter((op) => ops.has(op))).toEqual([]);
});
