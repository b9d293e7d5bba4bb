import * as ort from 'onnxruntime-node';
import { openSafetensors, readFloats, type TensorEntry } from '../../data/safetensors.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import type { HeadSettings } from '../../model/clip/config.ts';
import { checkpointWeights, weightsFolder } from '../../model/clip/weights.ts';
import { scoreCategories } from '../../model/head/head.ts';
import { EDGE_FEATURES, neighbourInputs, neighbourTables } from '../../model/head/neighbours.ts';
import { headShape } from '../../model/head/shape.ts';
import { Graph } from '../../model/onnx/graph.ts';
import { createSession } from '../../model/onnx/session.ts';
import { neighbourFeeds } from '../../model/head/neighbours.ts';

const golden = new URL('../golden/tiny/', import.meta.url).pathname;

/** Tokens, text features and edges of the tiny golden folder, to run heads on. */
export interface HeadWorld {
  batch: number;
  patchCount: number;
  categories: number;
  d: number;
  global: Float32Array;
  patches: Float32Array;
  text: Float32Array;
  edges: IndexedEdge[];
}

const values = (tensors: ReadonlyMap<string, TensorEntry>, name: string): Float32Array =>
  readFloats(tensors.get(name)!);

export function headWorld(): HeadWorld {
  const encoder = openSafetensors(`${golden}encoder.safetensors`);
  const head = openSafetensors(`${golden}head-anchored.safetensors`);
  const [batch, patchCount, d] = encoder.get('patches')!.shape as [number, number, number];
  const ends = values(head, 'edge_index');
  const features = values(head, 'edge_attr');
  const count = ends.length / 2;
  const edges = Array.from({ length: count }, (_, e) => {
    const row = features.subarray(e * EDGE_FEATURES, (e + 1) * EDGE_FEATURES);
    return { source: ends[e]!, target: ends[count + e]!, relation: row.indexOf(1), strength: row.at(-1)! };
  }).filter(({ relation }) => relation !== 0);
  const categories = encoder.get('text')!.shape[0]!;
  return {
    batch,
    patchCount,
    categories,
    d,
    global: values(encoder, 'global'),
    patches: values(encoder, 'patches'),
    text: values(encoder, 'text'),
    edges,
  };
}

export interface HeadRun {
  form: HeadSettings['form'];
  /** Rows of `text`, in this order, are the nodes. */
  nodes: number[];
  hopOffsets: number[];
  chunkSize: number;
  /** Images [from, to) of the batch. */
  images?: [number, number];
  trained?: boolean;
}

/** Scores [images, asked] of one head run. */
export async function runHead(
  world: HeadWorld,
  { form, nodes, hopOffsets, chunkSize, images = [0, world.batch], trained = true }: HeadRun,
): Promise<Float32Array> {
  const { d, patchCount } = world;
  const file = `${golden}head-${form}.safetensors`;
  const head = openSafetensors(file);
  const graph = new Graph('head');
  const weights = checkpointWeights(graph, head, file);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const edges = world.edges.flatMap((edge) => {
    const [source, target] = [index.get(edge.source), index.get(edge.target)];
    return source === undefined || target === undefined ? [] : [{ ...edge, source, target }];
  });
  const tables = neighbourTables(nodes.length, edges);
  const text = Float32Array.from(nodes.flatMap((node) => [...world.text.subarray(node * d, (node + 1) * d)]));
  const [from, to] = images;
  const scores = scoreCategories({
    tokens: {
      global: graph.input('global', 'float32', ['B', d]),
      patches: graph.input('patches', 'float32', ['B', patchCount, d]),
    },
    text: graph.constant(text, [nodes.length, d]),
    settings: { form, isr: 'adaptive', patches: 8, tau: values(head, 'tau')[0]!, alpha: 0.5, cap: 12 },
    ...(trained && {
      ist: {
        weights: (name, shape) => weights(`param.${name}`, shape),
        shape: headShape(head, form, 'param.')!,
        tables: neighbourInputs(graph, tables),
        hopOffsets,
      },
    }),
    chunkSize,
  });
  graph.output('scores', scores);
  const session = await createSession(graph.encode(), { provider: 'cpu' }, weightsFolder(head));
  try {
    const results = await session.run({
      global: new ort.Tensor('float32', world.global.slice(from * d, to * d), [to - from, d]),
      patches: new ort.Tensor('float32', world.patches.slice(from * patchCount * d, to * patchCount * d), [
        to - from,
        patchCount,
        d,
      ]),
      ...(trained && neighbourFeeds(tables)),
    });
    return results['scores']!.data as Float32Array;
  } finally {
    await session.release();
  }
}
