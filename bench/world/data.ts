/** The bundled world (its own README says what it is) as training and tagging are given it. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import type { DemoCategory } from '../../cli/demo/assets.ts';
import { randomStream } from '../../data/random.ts';

/** Of the seen categories, one in so many is held back when settings are chosen. */
export const PARTS = 4;

/** A list of images of the world; those of `test` are for the last table only. */
export type SplitName = 'train' | 'val' | 'test';

export interface World {
  /** A CLIP checkpoint folder. */
  model: string;
  graph: string;
  /** Those that are asked for, with what is trained on. */
  categories: DemoCategory[];
  categoriesFile: string;
  manifest(split: SplitName): string;
  /** The folder of a split's images. */
  images(split: SplitName): string;
  /** The true labels of each image, by its key in that folder. */
  labels(split: SplitName): Map<string, ReadonlySet<string>>;
}

const categorySchema = z.object({ name: z.string(), kind: z.string(), split: z.enum(['seen', 'unseen']) });
type WorldCategory = z.infer<typeof categorySchema>;
const lineSchema = z.object({ uri: z.string(), labels: z.array(z.string()) });
type Line = z.infer<typeof lineSchema>;

/** The world in the folder `dir`. */
export function openWorld(dir: string): World {
  const { categories, lines } = readWorld(dir);
  return {
    ...placesOf(dir),
    categories,
    categoriesFile: join(dir, 'categories.json'),
    manifest: (split) => join(dir, `${split}.jsonl`),
    labels: (split) => labelsOf(lines(split)),
  };
}

/**
 * The world in `dir` without its unseen categories, with quarter `part` (0 to 3) of the seen ones in their place: for choosing
 * settings without looking at what they are judged by. Its files are written to `work`.
 */
export async function openHeldBackWorld(dir: string, work: string, part: number): Promise<World> {
  const { categories: all, lines: allLines } = readWorld(dir);
  const categories = holdBack(all, part);
  const names = new Set(categories.map(({ name }) => name));
  const lines = (split: SplitName) =>
    allLines(split).map(({ uri, labels }) => ({ uri, labels: labels.filter((name) => names.has(name)) }));
  const inputs = join(work, `held-back${part}`);
  await mkdir(inputs, { recursive: true });
  const categoriesFile = join(inputs, 'categories.json');
  await writeFile(categoriesFile, JSON.stringify(categories));
  const manifest = (split: SplitName) => join(inputs, `${split}.jsonl`);
  for (const split of ['train', 'val'] as const)
    await writeFile(
      manifest(split),
      `${lines(split)
        .map((line) => JSON.stringify(line))
        .join('\n')}\n`,
    );
  return {
    ...placesOf(dir),
    categories,
    categoriesFile,
    manifest,
    labels: (split) => labelsOf(lines(split)),
  };
}

const placesOf = (dir: string): Pick<World, 'model' | 'graph' | 'images'> => ({
  model: join(dir, 'clip'),
  graph: join(dir, 'graph.json'),
  images: (split) => join(dir, split),
});

function readWorld(dir: string): { categories: WorldCategory[]; lines: (split: SplitName) => Line[] } {
  const categories = z
    .array(categorySchema)
    .parse(JSON.parse(readFileSync(join(dir, 'categories.json'), 'utf8')));
  const lines = (split: SplitName) =>
    readFileSync(join(dir, `${split}.jsonl`), 'utf8')
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => lineSchema.parse(JSON.parse(text)))
      .map(({ uri, labels }) => ({ uri: resolve(dir, uri), labels }));
  return { categories, lines };
}

const labelsOf = (lines: readonly Line[]): Map<string, ReadonlySet<string>> =>
  new Map(lines.map(({ uri, labels }) => [basename(uri), new Set(labels)]));

/** The seen categories of a world, part `part` of {@link PARTS} of each kind as unseen ones. */
export function holdBack(categories: readonly WorldCategory[], part: number): WorldCategory[] {
  const seen = categories.filter(({ split }) => split === 'seen');
  const held = new Set<WorldCategory>();
  // Kinds differ in how often they are there: each quarter has its share of all.
  const counts = new Map<string, number>();
  for (const i of randomStream('held back').permutation(seen.length)) {
    const category = seen[i]!;
    const count = counts.get(category.kind) ?? 0;
    counts.set(category.kind, count + 1);
    if (count % PARTS === part) held.add(category);
  }
  return seen.map((category) => ({ ...category, split: held.has(category) ? 'unseen' : 'seen' }));
}
