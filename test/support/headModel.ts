import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GraphEdge } from '../../data/graphFile.ts';
import { encodeSafetensors, openSafetensors, readFloats } from '../../data/safetensors.ts';
import { TINY_MODEL } from './slowModel.ts';

const HEAD = fileURLToPath(new URL('../golden/tiny/head-anchored.safetensors', import.meta.url));

/** Writes the small checkpoint as one that was trained on categories with a graph: with a head, or else without. */
export function writeTrainedModel(
  dir: string,
  { categories, edges, head }: { categories: readonly string[]; edges: readonly GraphEdge[]; head: boolean },
): void {
  cpSync(TINY_MODEL, dir, { recursive: true });
  writeFileSync(join(dir, 'categories.json'), JSON.stringify(categories));
  writeFileSync(join(dir, 'graph.json'), JSON.stringify({ edges }));
  if (!head) return;
  const tensors = [
    ...openSafetensors(join(TINY_MODEL, 'model.safetensors')),
    ...[...openSafetensors(HEAD)]
      .filter(([name]) => name.startsWith('param.'))
      .map(([name, entry]) => [name.replace('param.', 'head.'), entry] as const),
  ];
  const whole = tensors.map(([name, entry]) => [name, { shape: entry.shape, values: readFloats(entry) }]);
  writeFileSync(
    join(dir, 'model.safetensors'),
    encodeSafetensors(Object.fromEntries(whole) as Parameters<typeof encodeSafetensors>[0]),
  );
}
