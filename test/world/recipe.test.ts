import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseCategories } from '../../data/categories.ts';
import { graphHash, parseGraph } from '../../data/graphFile.ts';
import { openIconSets } from '../../data/world/art/iconSet.ts';
import { WORLD_SPLITS } from '../../data/world/art/styles.ts';
import { labelsOf, WORLD_CATEGORIES } from '../../data/world/recipe/categories.ts';
import { worldGraph } from '../../data/world/recipe/graph.ts';
import { CONTEXT_NAMES, CONTEXTS } from '../../data/world/recipe/kinds.ts';
import { OBJECT_NAMES, OBJECTS } from '../../data/world/recipe/objects.ts';

const demo = (file: string): string => readFileSync(`assets/demo/${file}`, 'utf8');

it("has the demo's categories and splits, in their order", () => {
  expect(JSON.parse(demo('categories.json'))).toEqual(WORLD_CATEGORIES);
  const { length } = parseCategories(JSON.stringify(WORLD_CATEGORIES), 'categories.json');
  expect(length).toBe(191);
});

it("derives the demo's graph from its tables, edge for edge", () => {
  const written = JSON.stringify(worldGraph());
  expect(graphHash(parseGraph(written, 'graph.json'))).toBe(
    graphHash(parseGraph(demo('graph.json'), 'graph.json')),
  );
});

it('labels what is there, what it is a kind of, the context, and other words for all', () => {
  expect(labelsOf(['ship', 'rabbit'], 'ocean')).toEqual(
    ['rabbit', 'ship', 'animal', 'boat', 'mammal', 'pet', 'vehicle', 'ocean', 'bunny', 'sea'].sort(
      byCategory,
    ),
  );
});

it.each(WORLD_SPLITS)(
  '%s: its artists draw every object but those that nobody of them drew',
  async (split) => {
    const sets = await openIconSets(split);
    const missing = OBJECT_NAMES.filter((name) => !sets.some(({ iconsOf }) => iconsOf.has(name)));
    expect(missing).toEqual(split === 'val' ? ['zebra', 'giraffe', 'axe'] : []);
  },
);

it('knows every icon that the table of objects names', async () => {
  const sets = (await Promise.all(WORLD_SPLITS.map(openIconSets))).flat();
  const known = new Set(sets.flatMap(({ iconsOf }) => [...iconsOf.values()].flat()));
  const named = OBJECT_NAMES.flatMap((name) => [...OBJECTS[name].icons]);
  expect(named.filter((icon) => !known.has(icon))).toEqual([]);
});

it('has an object that is typical of each context', () => {
  const typical = new Set(OBJECT_NAMES.flatMap((name): string[] => [...OBJECTS[name].contexts]));
  expect(CONTEXT_NAMES.filter((name) => !typical.has(name))).toEqual([]);
});

it('gives no context a palette or a surface of its own, and no two contexts both', () => {
  const hints = CONTEXT_NAMES.map((name) => CONTEXTS[name]);
  for (const hint of ['palette', 'surface'] as const)
    for (const some of Map.groupBy(hints, (context) => context[hint]).values())
      expect(some.length).toBeGreaterThan(1);
  expect(new Set(hints.map(({ palette, surface }) => `${palette} ${surface}`)).size).toBe(hints.length);
});

function byCategory(a: string, b: string): number {
  const names = WORLD_CATEGORIES.map(({ name }) => name);
  return names.indexOf(a) - names.indexOf(b);
}
