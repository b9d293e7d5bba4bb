/** Reports of runs with several vocabularies: two have a label of the same name, with other prompts and another graph. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vocabularyDifferences } from '../../cli/report/comparison/vocabularyDifferences.ts';
import { soleVocabulary } from '../../data/run/vocabularies.ts';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { chromiumProgram, startChromium } from '../support/programs/chromium.ts';
import { runCli } from '../support/cli.ts';
import { scenes } from '../support/demoTraining.ts';
import { writeTrainedModel } from '../support/headModel.ts';
import { expectUsable, openPage, type OpenPage } from '../support/reportPages.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const IMAGES = 10;
const ZOO = ['dog', 'wolf', 'sheep', 'horse', 'cow', 'goat', 'hen', 'duck'];
const FOOD = ['cake', { name: 'dog', prompts: ['a hot {} in a bun'] }, 'bread', 'soup'];
const ALL_OF_FOOD = ['--categories', 'food.json', '--graph', 'food=graph.json', '--top-k', 'food=4'];
const ALL_OF_ZOO = ['--categories', 'zoo=animals.txt', '--top-k', 'zoo=8'];

let place: Workplace;
let temporal: LocalTemporal;
const succeed = async (...args: string[]): Promise<void> => {
  const result = await runCli(args, { cwd: place.dir });
  expect(result.code, result.stderr).toBe(0);
};
const tag = (out: string, ...flags: string[]) =>
  succeed('tag', 'images', '--model', './model', '--out', out, ...flags);
const report = (out: string, ...what: string[]) =>
  succeed('report', ...what, '--out', place.path('reports', out));

beforeAll(async () => {
  place = await makeWorkplace();
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  await mkdir(place.path('images'));
  for (const { uri } of scenes(0, IMAGES)) await copyFile(uri, place.path('images', basename(uri)));
  const edge = { relation: 'is-a', strength: 0.8 } as const;
  writeTrainedModel(place.path('model'), {
    categories: ['dog', 'wolf', 'car'],
    edges: [{ ...edge, source: 'wolf', target: 'dog' }],
    head: true,
  });
  await writeFile(place.path('animals.txt'), ZOO.join('\n'));
  await writeFile(place.path('food.json'), JSON.stringify(FOOD));
  const edges = [{ source: 'car', target: 'dog', relation: 'functional', strength: 1 }];
  await writeFile(place.path('graph.json'), JSON.stringify({ edges }));
  await tag('joint', ...ALL_OF_FOOD, ...ALL_OF_ZOO);
  await tag('zoo', '--categories', 'animals.txt', '--top-k', '8');
  await tag('other', '--categories', 'food.json', '--categories', 'town=animals.txt', '--top-k', 'food=2');
  await report('joint', './joint');
  await report('plain', './joint', '--no-evidence');
  await report('zoo', './zoo');
  await report('against', './joint', '--against', './other');
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

interface Evidence {
  score: number;
  patches: [number, number][];
  neighbours: [number, number[], number][];
}
interface PageData {
  images: {
    key: string;
    tags: { name: number; score: number; evidence: Evidence | null }[];
    change?: { appeared: number[]; gone: { name: number }[] };
  }[];
  names: string[];
  vocabularies: (string | null)[] | null;
  labels: { labels: { vocabulary: string | null; label: string; tags: number }[] };
  categories: number;
}
const page = (name: string): string => place.path('reports', name, 'index.html');

async function dataOf(name: string): Promise<PageData> {
  const html = await readFile(page(name), 'utf8');
  const [, json] = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(html)!;
  return JSON.parse(json!) as PageData;
}

/** An image's tags of a vocabulary, with names instead of indices. */
function tagsOf({ names, vocabularies, images }: PageData, key: string, vocabulary: string | null) {
  const nameOf = (index: number) => names[index]!;
  return images
    .find((image) => image.key === key)!
    .tags.filter(({ name }) => (vocabularies?.[name] ?? null) === vocabulary)
    .map(({ name, score, evidence }) => ({
      label: nameOf(name),
      score,
      evidence: evidence && {
        ...evidence,
        neighbours: evidence.neighbours.map(([source, ...rest]) => [nameOf(source), ...rest] as const),
      },
    }));
}

describe('a run with several vocabularies', () => {
  it('has of each the labels, tags and evidence of a run with it alone', async () => {
    const [joint, zoo] = [await dataOf('joint'), await dataOf('zoo')];
    expect(zoo.vocabularies).toBeNull();
    expect(joint.categories).toBe(ZOO.length + FOOD.length);
    const own = joint.labels.labels.filter(({ vocabulary }) => vocabulary === 'zoo');
    // Both divide the range of all their scores.
    const plain = ({ labels }: PageData['labels'], vocabulary: string | null) =>
      labels
        .filter((label) => label.vocabulary === vocabulary)
        .map((label) => ({ ...label, vocabulary: null, bins: null }));
    expect(own.length).toBe(ZOO.length);
    expect(plain(joint.labels, 'zoo')).toEqual(plain(zoo.labels, null));
    expect(joint.images).toHaveLength(IMAGES);
    for (const { key } of joint.images) expect(tagsOf(joint, key, 'zoo')).toEqual(tagsOf(zoo, key, null));
  });

  it('has two labels of the same name, each with the neighbours in its own graph', async () => {
    const joint = await dataOf('joint');
    const dogs = joint.labels.labels.filter(({ label }) => label === 'dog');
    expect(dogs.map(({ vocabulary }) => vocabulary).sort()).toEqual(['food', 'zoo']);
    const evidenceOf = (vocabulary: string) =>
      joint.images.flatMap(({ key }) =>
        tagsOf(joint, key, vocabulary).filter(({ label, evidence }) => label === 'dog' && evidence),
      );
    for (const [vocabulary, neighbour] of [
      ['food', 'car'],
      ['zoo', 'wolf'],
    ] as const) {
      const dog = evidenceOf(vocabulary);
      expect(dog.length).toBeGreaterThan(0);
      for (const { score, evidence } of dog) {
        expect(evidence!.score).toBeCloseTo(score, 4);
        expect(evidence!.neighbours.map(([name]) => name)).toEqual([neighbour]);
      }
    }
  });

  it('knows its labels without the model too', async () => {
    const { names, vocabularies, images } = await dataOf('plain');
    const expected = [...FOOD.map((entry) => ['food', entry]), ...ZOO.map((name) => ['zoo', name])];
    expect(names.map((name, i) => [vocabularies![i], name])).toEqual(
      expected.map(([of, entry]) => [of, typeof entry === 'object' ? 'dog' : entry]),
    );
    expect(images.every(({ tags }) => tags.every(({ evidence }) => evidence === null))).toBe(true);
  });
});

it('says of vocabularies what differs between two runs', () => {
  const one = soleVocabulary('a');
  expect(vocabularyDifferences([one], [one])).toEqual([]);
  expect(vocabularyDifferences([one], [{ ...one, categories: 'b', graph: 'c', threshold: 0.1 }])).toEqual([
    { name: null, differs: ['categories', 'graph', 'limits'] },
  ]);
  expect(vocabularyDifferences([{ ...one, name: 'zoo' }], [one])).toEqual([
    { name: 'zoo', differs: ['only now'] },
    { name: null, differs: ['only before'] },
  ]);
});

it('a comparison takes labels of other vocabularies for others', async () => {
  const data = await dataOf('against');
  const labels = data.labels as unknown as Record<'vocabulary' | 'label', string>[];
  const of = (vocabulary: string, label: string) =>
    labels.find((row) => row.vocabulary === vocabulary && row.label === label);
  expect(of('zoo', 'dog')).toMatchObject({ before: 0, now: IMAGES, appeared: IMAGES, gone: 0 });
  expect(of('town', 'dog')).toMatchObject({ before: IMAGES, now: 0, appeared: 0, gone: IMAGES });
  expect(of('food', 'dog')).toMatchObject({ now: IMAGES, gone: 0 });
  for (const { change } of data.images) {
    const ofNames = (indices: number[]) => new Set(indices.map((index) => data.vocabularies![index]));
    expect(ofNames(change!.appeared)).toEqual(new Set(['food', 'zoo']));
    expect(ofNames(change!.gone.map(({ name }) => name))).toEqual(new Set(['town']));
  }
});

describe.skipIf(chromiumProgram === undefined && !process.env['CI'])('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  const open = (name: string, width?: number): Promise<OpenPage> => openPage(browser, page(name), width);

  it.each(['joint', 'against'])('the page %s is usable in any window, light and dark', async (name) => {
    for (const width of [1280, 400]) {
      const { page: shown, said } = await open(name, width);
      await expectUsable(shown);
      await shown.locator('.gallery button').first().click();
      await expectUsable(shown);
      expect(said).toEqual([]);
      await shown.close();
    }
  });

  it('labels lead to images of their own vocabulary, and say which it is', async () => {
    const { page: shown, said } = await open('joint');
    const says = async () => (await shown.locator('.gallery .says').allInnerTexts()).join('\n');
    const whole = shown.locator('#labels tbody tr');
    expect(await whole.count()).toBe(ZOO.length + FOOD.length);
    await shown.getByRole('button', { name: 'Show images of dog (food)' }).click();
    expect(await says()).toContain('dog (food)');
    expect(await says()).not.toContain('dog (zoo)');

    await shown.locator('.gallery button').first().click();
    expect(await shown.locator('.reasons h3').allInnerTexts()).toEqual([
      ...['food', 'zoo'],
      expect.stringMatching(/^dog \(food\): /) as string,
    ]);
    expect(await shown.locator('.neighbours tbody th').allInnerTexts()).toEqual(['car']);
    const zoo = shown.getByRole('list', { name: 'Tags of zoo' });
    await zoo.getByRole('button', { name: 'dog' }).click();
    // Of eight tags six are explained.
    await expect.poll(() => shown.locator('.tags [aria-pressed=true]').count()).toBe(1);
    await shown.keyboard.press('Escape');

    await shown.locator('#labels-vocabulary').selectOption('food');
    expect(await whole.count()).toBe(FOOD.length);
    expect(await shown.locator('#labels svg').getAttribute('aria-label')).toContain('(food)');
    await shown.locator('#scores-label').selectOption({ label: 'All labels of food' });
    const bins = (await shown.locator('#scores svg').getAttribute('aria-label'))!;
    const counts = bins.split(': ')[1]!.match(/\d+/g)!.map(Number);
    expect(counts.reduce((a, b) => a + b)).toBe(IMAGES * FOOD.length);
    expect(said).toEqual([]);
    await shown.close();
  });

  it('images are filtered by vocabulary', async () => {
    const { page: shown, said } = await open('joint');
    const says = async () => (await shown.locator('.gallery .says').allInnerTexts()).join('\n');
    const scoreOf = async () =>
      Number((await shown.locator('.reasons h3').last().innerText()).split(' ').at(-1)!.replace('−', '-'));
    await shown.locator('.gallery button').first().click();
    const scores = await shown.locator('.tags .score').allInnerTexts();
    expect(await scoreOf()).toBe(Math.max(...scores.map((text) => Number(text.replace('−', '-')))));
    await shown.keyboard.press('Escape');
    const offered = () => shown.locator('#filter-label option').allInnerTexts();
    expect((await offered()).filter((text) => text.startsWith('dog'))).toEqual(['dog (food)', 'dog (zoo)']);
    await shown.locator('#filter-label').selectOption('dog (zoo)');
    await shown.locator('#filter-vocabulary').selectOption('food');
    expect(await shown.locator('#filter-label').inputValue()).toBe('');
    expect(await offered()).toHaveLength(1 + FOOD.length);
    expect(await says()).toContain('(food)');
    expect(await says()).not.toContain('(zoo)');
    await shown.locator('.gallery button').first().click();
    expect(await shown.locator('.reasons h3').last().innerText()).toContain('(food)');
    await shown.keyboard.press('Escape');
    await shown.getByRole('button', { name: 'Clear filters' }).click();
    expect(await offered()).toHaveLength(1 + FOOD.length + ZOO.length);
    expect(said).toEqual([]);
    await shown.close();
  });

  it('a comparison says which vocabularies differ', async () => {
    const { page: shown, said } = await open('against');
    const totals = await shown.locator('#totals').innerText();
    expect(totals).toContain('vocabulary food: other graph, other limits');
    expect(totals).toContain('vocabulary zoo: only now');
    expect(totals).toContain('vocabulary town: only before');
    await shown.locator('#labels-vocabulary').selectOption('town');
    expect(await shown.locator('#labels tbody td:nth-child(2)').allInnerTexts()).toEqual(
      ZOO.map(() => 'town'),
    );
    expect(said).toEqual([]);
    await shown.close();
  });

  it('a run with one vocabulary does not speak of it', async () => {
    const { page: shown } = await open('zoo');
    expect(await shown.locator('#labels-vocabulary, #filter-vocabulary, .vocabulary').count()).toBe(0);
    expect(await shown.locator('#labels thead').innerText()).not.toContain('Vocabulary');
    await shown.close();
  });
});
