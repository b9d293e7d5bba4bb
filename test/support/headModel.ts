import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GraphEdge } from '../../data/graphFile.ts';
import { encodeSafetensors, openSafetensors, readFloats } from '../../data/safetensors.ts';
import type { HeadSettings } from '../../model/clip/config.ts';
import { TINY_MODEL } from './slowModel.ts';

type Form = HeadSettings['form'];

const headFile = (form: Form): string =>
  fileURLToPath(new URL(`../golden/tiny/head-${form}.safetensors`, import.meta.url));

/** Writes the small checkpoint as one that was trained on categories with a graph: with a head, or else without. */
export function writeTrainedModel(
  dir: string,
  options: { categories: readonly string[]; edges: readonly GraphEdge[]; head: boolean; form?: Form },
): void {
  const { categories, edges, head, form = 'anchored' } = options;
  cpSync(TINY_MODEL, dir, { recursive: true });
  writeFileSync(join(dir, 'categories.json'), JSON.stringify(categories));
  writeFileSync(join(dir, 'graph.json'), JSON.stringify({ edges }));
  if (!head) return;
  const golden = openSafetensors(headFile(form));
  const scalar = (name: string): number => readFloats(golden.get(name)!)[0]!;
  const settings = { form, tau: scalar('tau'), alpha: scalar('alpha'), cap: scalar('cap') };
  const config = join(dir, 'config.json');
  const written = JSON.parse(readFileSync(config, 'utf8')) as { c2srt?: object };
  writeFileSync(config, JSON.stringify({ ...written, c2srt: { ...written.c2srt, ...settings } }));
  const tensors = [
    ...openSafetensors(join(TINY_MODEL, 'model.safetensors')),
    ...[...golden]
      .filter(([name]) => name.startsWith('param.'))
      .map(([name, entry]) => [name.replace('param.', 'head.'), entry] as const),
  ];
  const whole = tensors.map(([name, entry]) => [name, { shape: entry.shape, values: readFloats(entry) }]);
  writeFileSync(
    join(dir, 'model.safetensors'),
    encodeSafetensors(Object.fromEntries(whole) as Parameters<typeof encodeSafetensors>[0]),
  );
}
