import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { readVocabularies, runVocabularyOf, type VocabularyFlags } from '../../cli/vocabularies.ts';

let dir: string;
const at = (name: string): string => join(dir, name);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'c2srt-flags-'));
  for (const name of ['food.txt', 'animals.json', 'Food.csv', 'my list.txt', 'a=b.txt'])
    writeFileSync(
      at(name),
      name.endsWith('.json') ? '["dog", "cat"]' : name.endsWith('.csv') ? 'name\ncake' : 'cake\ndog\n',
    );
  for (const [name, strength] of [
    ['one.json', 0.5],
    ['two.json', 1],
  ] as const)
    writeFileSync(
      at(name),
      JSON.stringify({ edges: [{ source: 'dog', target: 'cake', relation: 'functional', strength }] }),
    );
});
afterAll(() => rmSync(dir, { recursive: true }));

const read = async (flags: VocabularyFlags) =>
  (await readVocabularies(flags)).map(({ name, categories, graph, topK, threshold }) => ({
    ...{ name, topK, threshold },
    first: categories[0]!.name,
    strength: graph && (JSON.parse(graph.json) as { edges: { strength: number }[] }).edges[0]!.strength,
  }));

it('takes one vocabulary without a name, and its flags as they are', async () => {
  expect(
    await read({ categories: [at('food.txt')], graph: [at('one.json')], topK: ['3'], threshold: ['0.5'] }),
  ).toEqual([{ name: null, topK: 3, threshold: 0.5, first: 'cake', strength: 0.5 }]);
  expect(await read({ categories: [at('a=b.txt')] })).toMatchObject([{ name: null }]);
  expect(await read({ categories: [`only=${at('food.txt')}`] })).toMatchObject([{ name: 'only' }]);
});

it('takes several by name, else by base name, in the order of names', async () => {
  expect(
    await read({
      categories: [at('food.txt'), `zoo=${at('animals.json')}`, `a=${at('a=b.txt')}`],
      graph: [at('one.json'), `zoo=${at('two.json')}`],
      topK: ['zoo=1', '5'],
      threshold: ['a=-0.25'],
    }),
  ).toEqual([
    { name: 'a', topK: 5, threshold: -0.25, first: 'cake', strength: 0.5 },
    { name: 'food', topK: 5, threshold: null, first: 'cake', strength: 0.5 },
    { name: 'zoo', topK: 1, threshold: null, first: 'dog', strength: 1 },
  ]);
});

test('the same vocabularies in another order are the same run', async () => {
  const files = [at('food.txt'), at('animals.json')];
  const specs = await Promise.all(
    [files, files.toReversed()].map(async (categories) =>
      (await readVocabularies({ categories })).map(runVocabularyOf),
    ),
  );
  expect(specs[0]).toEqual(specs[1]);
  expect(specs[0]!.map(({ name }) => name)).toEqual(['animals', 'food']);
});

it.each<[string, (path: typeof at) => VocabularyFlags, string, RegExp]>([
  [
    'a name twice',
    (path) => ({ categories: [path('food.txt'), `food=${path('animals.json')}`] }),
    'Usage.Vocabulary',
    /called food: .*food\.txt and .*animals\.json/,
  ],
  [
    'names that a file system may take for one',
    (path) => ({ categories: [path('food.txt'), path('Food.csv')] }),
    'Usage.Vocabulary',
    /called Food/,
  ],
  [
    'a base name that is no name',
    (path) => ({ categories: [path('my list.txt'), path('food.txt')] }),
    'Usage.Vocabulary',
    /my list\.txt gives its vocabulary no name/,
  ],
  [
    'a graph of no vocabulary',
    (path) => ({ categories: [path('food.txt'), path('animals.json')], graph: [`zoo=${path('one.json')}`] }),
    'Usage.Vocabulary',
    /no vocabulary is called zoo/,
  ],
  [
    'two limits for one vocabulary',
    (path) => ({ categories: [path('food.txt'), path('animals.json')], topK: ['food=1', 'food=2'] }),
    'Usage.Flag',
    /--top-k is given twice for food: 1 and 2/,
  ],
  [
    'two limits for all',
    (path) => ({ categories: [path('food.txt')], topK: ['1', '2'] }),
    'Usage.Flag',
    /twice for all vocabularies/,
  ],
  [
    'a limit that is no number',
    (path) => ({ categories: [path('food.txt')], topK: ['food=1'] }),
    'Usage.Flag',
    /--top-k is "food=1": expected a whole number/,
  ],
])('refuses %s', async (_, flags, code, message) => {
  await expect(readVocabularies(flags(at))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  });
});
