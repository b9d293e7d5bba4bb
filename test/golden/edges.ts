import { readFloats, type TensorEntry } from '../../data/safetensors.ts';
import type { IndexedEdge } from '../../data/subgraph.ts';
import { EDGE_FEATURES } from '../../model/head/neighbours.ts';

/** The edges of a golden file (`edge_index`, `edge_attr`) without its self loops, which our tables imply. */
export function goldenEdges(tensors: ReadonlyMap<string, TensorEntry>): IndexedEdge[] {
  const ends = readFloats(tensors.get('edge_index')!);
  const features = readFloats(tensors.get('edge_attr')!);
  const count = ends.length / 2;
  return Array.from({ length: count }, (_, e) => {
    const row = features.subarray(e * EDGE_FEATURES, (e + 1) * EDGE_FEATURES);
    return { source: ends[e]!, target: ends[count + e]!, relation: row.indexOf(1), strength: row.at(-1)! };
  }).filter(({ relation }) => relation !== 0);
}
