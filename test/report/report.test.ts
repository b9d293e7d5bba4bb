/** `c2srt report`, from the command line, and its pages in a real browser. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import { chromiumProgram, startChromium } from '../support/programs/chromium.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import {
  copyScenes,
  DEMO_CATEGORIES,
  DEMO_GRAPH,
  DEMO_MODEL,
  scenes,
  trainDemo,
  writeManifest,
} from '../support/demoTraining.ts';
import { expectUsable, openPage, type OpenPage } from '../support/reportPages.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const SCRIPT = '<script>alert(1)</script>';
const CLOSING = '</script><img src=x onerror=alert(2)>';
/** A photograph that lies on its side, with metadata, so that upright it is 100 x 300. */
const TURNED = 'turned.jpg';
const WIDE = '<b>wide & low.png';
const CATEGORIES = ['dog', 'wolf', 'animal', 'beach', 'sea', SCRIPT, CLOSING];

let place: Workplace;
let temporal: LocalTemporal;
const run = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: place.dir });
const succeed = async (...args: string[]): Promise<CliResult> => {
  const result = await run(...args);
  expect([0, 3], result.stderr).toContain(result.code);
  return result;
};
const tag = (out: string, ...more: string[]) =>
  succeed(
    ...['tag', 'images', '--categories', 'asked.json', '--graph', 'asked-graph.json'],
    ...['--shard-size', '6', '--max-failure-rate', '1', '--out', out, ...more],
  );

beforeAll(async () => {
  place = await makeWorkplace();
  // Commands attach to this server instead of starting one each.
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  await writeImages();
  const edge = { relation: 'is-a', strength: 0.8 };
  await writeFile(place.path('asked.json'), JSON.stringify(CATEGORIES));
  const edges = [
    { ...edge, source: 'dog', target: 'animal' },
    { ...edge, source: 'wolf', target: 'animal' },
    { ...edge, source: 'beach', target: 'sea', relation: 'co-occurrence' },
    { ...edge, source: SCRIPT, target: 'animal' },
  ];
  await writeFile(place.path('asked-graph.json'), JSON.stringify({ edges }));
  await writeManifest(place.path('train.jsonl'), scenes(200, 320));
  // Held back are copies of images trained on: the last round is better than the start for sure.
  await writeManifest(place.path('held.jsonl'), await copyScenes(scenes(200, 240), place.path('held')));
  await writeManifest(place.path('test.jsonl'), scenes(60, 110));
  await writeManifest(
    place.path('validation.jsonl'),
    await copyScenes(scenes(110, 140), place.path('copies')),
  );
  await writeFile(
    place.path('c2srt.yaml'),
    'train: { epochs: 4, batchSize: 16, localSteps: 10 }\nevaluate: { resamples: 50 }\n',
  );
  await succeed(...trainDemo('model', '--validation', 'held.jsonl'));
  for (const [out, model] of [
    ['evaluation', './model'],
    ['plain', DEMO_MODEL],
  ] as const)
    await succeed(
      ...['evaluate', '--data', 'test.jsonl', '--validation', 'validation.jsonl', '--model', model],
      ...['--categories', DEMO_CATEGORIES, '--graph', DEMO_GRAPH, '--out', out],
    );
  await tag('tags', '--model', './model');
  await tag('earlier', '--model', DEMO_MODEL, '--top-k', '3');
  for (const [out, ...what] of [
    ['run', './tags'],
    ['small', './tags', '--max-mb', '1'],
    ['evaluated', './evaluation', '--images', '12'],
    ['trained', './model'],
    ['runs', './tags', '--against', './earlier'],
    ['models', './evaluation', '--against', './plain', '--images', '10'],
  ] as const)
    await succeed('report', ...what, '--out', place.path('reports', out));
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

/** Some scenes and odd images: turned, wide, transparent; one that is none. */
async function writeImages(): Promise<void> {
  await mkdir(place.path('images'));
  for (const { uri } of scenes(0, 12))
    await writeFile(place.path('images', uri.split('/').at(-1)!), await readFile(uri));
  const scene = await readFile(scenes(0, 1)[0]!.uri);
  const turned = sharp(scene).resize(300, 100, { fit: 'fill' });
  const exif = { IFD0: { Copyright: 'secret' } };
  const photograph = turned.withExif(exif).withMetadata({ orientation: 6 }).jpeg();
  await writeFile(place.path('images', TURNED), await photograph.toBuffer());
  const wide = sharp(scene).resize(200, 100, { fit: 'fill' }).ensureAlpha(0.5);
  await writeFile(place.path('images', WIDE), await wide.png().toBuffer());
  await writeFile(place.path('images', `${CLOSING.replace('/', '')}.jpg`), 'no image');
}

interface PageData {
  images: {
    key: string;
    thumbnail: string;
    width: number;
    grid: { left: number; top: number; width: number; height: number; side: number };
    tags: {
      name: number;
      score: number;
      evidence: {
        score: number;
        patches: [number, number][];
        neighbours: [number, number[], number][];
      } | null;
    }[];
  }[];
  names: string[];
  imagesChosen: number;
  withoutEvidence: string | null;
}
const page = (name: string): string => place.path('reports', name, 'index.html');

/** What a page was given. */
async function dataOf(name: string): Promise<PageData> {
  const html = await readFile(page(name), 'utf8');
  const [, json] = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(html)!;
  return JSON.parse(json!) as PageData;
}

describe('what a page holds', () => {
  it('is no markup, whatever categories and keys are called', async () => {
    for (const name of ['run', 'runs']) {
      const html = await readFile(page(name), 'utf8');
      expect(html).not.toContain('<script>alert');
      expect(html).not.toContain('<img src=x');
      expect(html).not.toContain('<b>wide');
      expect((await dataOf(name)).names).toEqual(expect.arrayContaining([SCRIPT, CLOSING]));
    }
  });

  it('thumbnails are upright and without metadata; patches lie in the square that the model saw', async () => {
    const { images } = await dataOf('run');
    const of = (key: string) => images.find((image) => image.key === key)!;
    const { width, height, exif } = await sharp(
      Buffer.from(of(TURNED).thumbnail.split(',')[1]!, 'base64'),
    ).metadata();
    expect({ width, height, exif }).toEqual({ width: 100, height: 300, exif: undefined });
    expect(of(TURNED).grid).toMatchObject({ left: 0, top: expect.closeTo(1 / 3, 5) as number });
    expect(of(WIDE).grid).toMatchObject({ left: 0.25, top: 0 });
    for (const { grid } of images) expect(grid.left * 2 + grid.width * grid.side).toBeCloseTo(1, 5);
  });

  it('evidence has neighbours of the graph for a trained head, and none for another', async () => {
    const { images, names } = await dataOf('run');
    const animal = images.flatMap(({ tags }) => tags.filter(({ name }) => names[name] === 'animal'));
    expect(animal.length).toBeGreaterThan(0);
    const explained = animal.flatMap(({ score, evidence }) =>
      evidence ? [{ written: score, ...evidence }] : [],
    );
    const sources = explained.flatMap(({ neighbours }) => neighbours.map(([name]) => names[name]));
    expect(new Set(sources)).toEqual(new Set(['dog', 'wolf', SCRIPT]));
    const changes = explained.flatMap(({ neighbours }) => neighbours.map(([, , change]) => Math.abs(change)));
    expect(Math.max(...changes)).toBeGreaterThan(0);
    for (const { written, score } of explained) expect(score).toBeCloseTo(written, 3);
  });

  it('has fewer images where it would be larger than asked, and says so', async () => {
    const [whole, small] = [await dataOf('run'), await dataOf('small')];
    expect((await stat(page('small'))).size).toBeLessThanOrEqual(1e6);
    expect(small.images.length).toBeLessThanOrEqual(whole.images.length);
    expect(small.imagesChosen).toBe(whole.images.length);
    expect(small.images).toEqual(whole.images.slice(0, small.images.length));
  });
});

it('says what it cannot report on', async () => {
  const mixed = await run('report', './tags', '--against', './evaluation', '--out', 'no');
  expect(mixed).toMatchObject({ code: 2, stderr: expect.stringContaining('Compare two tag runs') as string });
  await mkdir(place.path('empty'), { recursive: true });
  const nothing = await run('report', './empty', '--out', 'no');
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('[Report.Subject]') as string });
});

it('goes without evidence, and says why, where the model is another by now', async () => {
  await writeFile(place.path('model', 'prompts.json'), JSON.stringify(['another {}']));
  await succeed('report', './tags', '--out', place.path('reports', 'changed'));
  const { images, withoutEvidence } = await dataOf('changed');
  expect(withoutEvidence).toMatch(/is not the one that .* was started with/);
  expect(images).toHaveLength((await dataOf('run')).images.length);
  expect(images.every(({ tags }) => tags.every(({ evidence }) => evidence === null))).toBe(true);
});

describe.skipIf(chromiumProgram === undefined && !process.env['CI'])('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());

  const open = (name: string, width?: number): Promise<OpenPage> => openPage(browser, page(name), width);
  const titles = (shown: Page) => shown.locator('main h2').allInnerTexts();

  it.each(['run', 'small', 'evaluated', 'trained', 'runs', 'models'])(
    'the page %s asks for nothing, says nothing, and is usable in any window, light and dark',
    async (name) => {
      for (const width of [1280, 400]) {
        const { page: shown, said } = await open(name, width);
        await expectUsable(shown);
        if ((await shown.locator('.gallery button').count()) > 0) {
          await shown.locator('.gallery button').first().click();
          await expectUsable(shown);
        }
        expect(said).toEqual([]);
        await shown.close();
      }
    },
  );

  it('a run: totals, failures with keys, labels that lead to their images', async () => {
    const { page: shown, said } = await open('run');
    expect(await titles(shown)).toEqual(['Totals', 'Rate', 'Failures', 'Labels', 'Scores', 'Images']);
    expect((await shown.locator('.facts').innerText()).replace(/\s+/g, ' ')).toMatch(
      /Images 15 Tagged 14 .*Failed 1/,
    );
    await shown.locator('summary').click();
    await expect
      .poll(() => shown.locator('#failures tbody tr').innerText())
      .toContain(CLOSING.replace('/', ''));
    expect(await shown.locator('#rate svg rect').count()).toBeGreaterThan(0);
    await shown.getByRole('button', { name: `Show images of ${SCRIPT}` }).click();
    expect(await shown.getByLabel('Label', { exact: true }).last().inputValue()).not.toBe('');
    await expect.poll(() => shown.locator('.gallery .says').first().innerText()).toContain(SCRIPT);
    await shown.locator('#scores-label').selectOption({ label: 'animal' });
    expect(await shown.locator('#scores svg').getAttribute('aria-label')).toMatch(/^Tags by score/);
    expect(said).toEqual([]);
    await shown.close();
  });

  it('filters of images and columns of tables', async () => {
    const { page: shown, said } = await open('run');
    const found = shown.locator('#images [role=status]');
    const all = await found.innerText();
    await shown.getByLabel('Text in the key').fill('WIDE');
    expect(await found.innerText()).toMatch(/^1 image of/);
    expect(await shown.locator('.gallery .key').allInnerTexts()).toEqual([WIDE]);
    await shown.getByRole('button', { name: 'Clear filters' }).click();
    expect(await found.innerText()).toBe(all);
    await shown.locator('#filter-label').selectOption({ label: 'animal' });
    const scores = async () =>
      (await shown.locator('.gallery .says').allInnerTexts()).map((text) =>
        Number(text.split(' ').at(-1)!.replace('−', '-')),
      );
    const whole = await scores();
    expect(whole).toEqual(whole.toSorted((a, b) => b - a));
    const middle = whole[Math.floor(whole.length / 2)]!;
    await shown.locator('#filter-from').fill(String(middle));
    expect((await scores()).every((score) => score >= middle - 0.001)).toBe(true);
    expect((await scores()).length).toBeLessThan(whole.length);

    const head = shown.locator('#labels thead button', { hasText: 'Label' });
    const labels = () => shown.locator('#labels tbody th').allInnerTexts();
    await head.click();
    expect(await labels()).toEqual((await labels()).toSorted((a, b) => a.localeCompare(b)));
    expect(await head.locator('..').getAttribute('aria-sort')).toBe('ascending');
    await head.click();
    expect(await head.locator('..').getAttribute('aria-sort')).toBe('descending');
    expect(said).toEqual([]);
    await shown.close();
  });

  it('by keyboard: an image opens, its tags show their patches, Escape leads back', async () => {
    const { page: shown, said } = await open('run');
    await shown.getByLabel('Text in the key').fill('wide');
    await shown.getByRole('button', { name: WIDE }).focus();
    await shown.keyboard.press('Enter');
    const dialog = shown.getByRole('dialog', { name: WIDE });
    expect(await dialog.isVisible()).toBe(true);
    const { images } = await dataOf('run');
    const { grid, tags } = images.find(({ key }) => key === WIDE)!;
    const patches = shown.locator('.overlay .patch');
    expect(await patches.count()).toBe(tags[0]!.evidence!.patches.length);
    // On the screen the patches are within the middle of the image, which is twice as wide as high.
    const frame = (await shown.locator('.frame').boundingBox())!;
    expect(frame.width / frame.height).toBeCloseTo(2, 1);
    for (const patch of await patches.all()) {
      const box = (await patch.boundingBox())!;
      expect(box.x).toBeGreaterThan(frame.x + frame.width * 0.25 - 2);
      expect(box.x + box.width).toBeLessThan(frame.x + frame.width * 0.75 + 2);
      expect(box.width).toBeCloseTo(frame.width * grid.width, -1);
    }
    const second = dialog.locator('.tags button').nth(1);
    await second.focus();
    await shown.keyboard.press('Space');
    expect(await second.getAttribute('aria-pressed')).toBe('true');
    expect(await patches.count()).toBe(tags[1]!.evidence!.patches.length);
    await dialog.getByRole('checkbox').uncheck();
    expect(await shown.locator('.overlay').isVisible()).toBe(false);
    // The focus stays in the dialog.
    for (let i = 0; i < 20; i++) {
      await shown.keyboard.press('Tab');
      expect(await shown.evaluate('document.activeElement.closest("dialog, body").localName')).toMatch(
        /dialog|body/,
      );
    }
    await shown.keyboard.press('Escape');
    expect(await dialog.isVisible()).toBe(false);
    expect(await shown.evaluate('document.activeElement.closest(".gallery") !== null')).toBe(true);
    expect(said).toEqual([]);
    await shown.close();
  });

  it('goes from image to image', async () => {
    const { page: shown, said } = await open('run');
    await shown.locator('.gallery button').first().click();
    const place = shown.locator('dialog .place');
    const all = await shown.locator('.gallery button').count();
    expect(await place.innerText()).toBe(`1 of ${all}`);
    await shown.keyboard.press('ArrowRight');
    expect(await place.innerText()).toBe(`2 of ${all}`);
    await shown.getByRole('button', { name: 'Previous image' }).click();
    expect(await place.innerText()).toBe(`1 of ${all}`);
    expect(await shown.getByRole('button', { name: 'Previous image' }).isDisabled()).toBe(true);
    expect(said).toEqual([]);
    await shown.close();
  });

  it('a model: every part is there, thresholds are explored, the graph is beside it', async () => {
    const { page: shown, said } = await open('evaluated');
    expect(await titles(shown)).toEqual([
      ...['About', 'Training', 'Figures', 'Categories', 'Reliability', 'Thresholds'],
      ...['Confusions between siblings', 'Category graph', 'Images'],
    ]);
    expect(await shown.locator('#training svg').count()).toBe(2);
    expect(await shown.locator('#figures table').count()).toBe(3);
    expect(await shown.locator('#figures tbody th').allInnerTexts()).toEqual(
      expect.arrayContaining(['candidate', 'clip', 'clip-isr', 'fixed-k']),
    );
    const head = shown.locator('#categories thead button', { hasText: 'candidate' });
    const column = async () =>
      (await shown.locator('#categories tbody tr td:nth-child(4)').allInnerTexts()).map(Number);
    expect(await column()).toEqual((await column()).toSorted((a, b) => b - a));
    await head.click();
    expect(await column()).toEqual((await column()).toSorted((a, b) => a - b));
    await shown.locator('#category-filter').fill('dog');
    expect(await shown.locator('#categories tbody th').allInnerTexts()).toEqual(
      expect.arrayContaining(['dog']),
    );

    const slider = shown.locator('#threshold');
    const says = shown.locator('.threshold-says');
    await slider.fill('0');
    expect(await says.innerText()).toMatch(/recall 100%/);
    const tags = async () => Number(/of ([\d,]+) tags/.exec(await says.innerText())![1]!.replace(',', ''));
    const most = await tags();
    await slider.fill('60');
    expect(await tags()).toBeLessThan(most);
    await shown.locator('#threshold-of').selectOption({ label: 'animal' });
    expect(await says.innerText()).toMatch(/^At .* The fitted threshold is/);
    expect(await shown.locator('#reliability svg').count()).toBe(1);
    expect(await shown.locator('#confusions tbody tr').count()).toBeGreaterThan(0);
    await shown.getByRole('link', { name: 'The graph and each category' }).click();
    await expect.poll(() => shown.locator('#counts').innerText()).toMatch(/191 categories/);
    expect(said.filter((line) => !line.endsWith('graph.html'))).toEqual([]);
    await shown.close();
  });

  it('of a training alone says which commands make the rest', async () => {
    const { page: shown, said } = await open('trained');
    expect(await shown.locator('#training svg').count()).toBe(2);
    for (const id of ['figures', 'categories', 'reliability', 'thresholds', 'confusions'])
      expect(await shown.locator(`#${id} code`).innerText(), id).toContain('c2srt evaluate');
    expect(said).toEqual([]);
    await shown.close();
  });

  it('comparisons: which labels changed on which images, which categories and images are better', async () => {
    const runs = await open('runs');
    expect(await titles(runs.page)).toEqual(['Totals', 'Labels', 'Images']);
    expect((await runs.page.locator('.facts').innerText()).replace(/\s+/g, ' ')).toMatch(
      /Tagged in both 14 With other labels 14/,
    );
    expect(await runs.page.locator('.gallery .says').first().innerText()).toMatch(/^\+/);
    expect(runs.said).toEqual([]);
    const models = await open('models');
    expect(await titles(models.page)).toEqual(['About', 'Figures', 'Categories', 'Images']);
    expect(await models.page.locator('#categories svg').count()).toBe(1);
    expect(await models.page.locator('.gallery .says').first().innerText()).toMatch(
      /^\d+ → \d+ \([+−]\d+\)$/,
    );
    await models.page.locator('.gallery button').first().click();
    expect(await models.page.locator('.reasons').innerText()).toMatch(/Tags before: /);
    expect(models.said).toEqual([]);
    await Promise.all([runs.page.close(), models.page.close()]);
  });
});
