/** The page of `c2srt graph show --html`, in a real browser, from the disk. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { graphCommand } from '../../cli/commands/graph/index.ts';
import { graphPage } from '../../cli/graph/graphPage.ts';
import type { GraphEdge } from '../../data/graphFile.ts';
import { chromiumProgram, startChromium } from '../support/programs/chromium.ts';
import { DEMO_CATEGORIES, DEMO_GRAPH } from '../support/demoTraining.ts';
import { failureOf } from '../support/servers/s3.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'c2srt-page-'));
});
afterAll(() => rm(folder, { recursive: true }));

const show = async (...args: string[]): Promise<void> => {
  const program = new Command().exitOverride();
  graphCommand(program, () => undefined);
  await program.parseAsync(['graph', 'show', ...args], { from: 'user' });
};

const SCRIPT = '<script>alert(1)</script>';
const CLOSING = '</script><img src=x onerror=alert(2)>';

const EDGES: GraphEdge[] = [
  { source: 'wolf', target: 'dog', relation: 'is-a', strength: 0.9 },
  { source: 'lead', target: 'dog', relation: 'functional', strength: 0.5 },
  { source: SCRIPT, target: 'dog', relation: 'co-occurrence', strength: 0.2 },
  { source: 'dog', target: 'animal', relation: 'is-a', strength: 0.8 },
  { source: 'wolf', target: 'lead', relation: 'co-occurrence', strength: 0.1 },
  { source: CLOSING, target: SCRIPT, relation: 'synonym', strength: 1 },
];

it('nothing in a graph is markup, whatever it is called', async () => {
  const page = await graphPage({ graph: { edges: EDGES }, categories: [{ name: '<!--' }] }, '</title><b>&');
  expect(page).not.toContain('<script>alert');
  expect(page).not.toContain('<img');
  expect(page).not.toContain('<!--');
  expect(page).toContain('<title>&lt;/title&gt;&lt;b&gt;&amp;</title>');
});

it('no page is made of nothing', async () => {
  const empty = join(folder, 'empty.json');
  await writeFile(empty, '{"edges": []}');
  expect(await failureOf(show(empty, '--html', join(folder, 'empty.html')))).toMatchObject({
    code: 'Graph.Empty',
  });
});

describe.skipIf(chromiumProgram === undefined && !process.env['CI'])('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());

  /** A page from the disk; `said` is what must stay empty: messages, errors, dialogs, requests. */
  async function open(html: string, options: { width?: number; hash?: string } = {}) {
    const file = join(folder, `${Math.random()}.html`);
    await writeFile(file, html);
    const page = await browser.newPage({ viewport: { width: options.width ?? 1280, height: 800 } });
    const said: string[] = [];
    const url = pathToFileURL(file).href;
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    page.on('dialog', async (dialog) => {
      said.push(`dialog ${dialog.message()}`);
      await dialog.dismiss();
    });
    page.on('request', (request) => {
      if (request.url().split('#')[0] !== url) said.push(request.url());
    });
    await page.goto(url + (options.hash ?? ''));
    return { page, said };
  }

  /** What is drawn, as the library has it. */
  const drawn = (page: Page) =>
    page.locator('#canvas').evaluate((canvas) => {
      const { cy } = (canvas as unknown as Container)._cyreg;
      return {
        nodes: cy
          .nodes()
          .map((node) => node.data('label'))
          .sort(),
        edges: cy.edges().length,
        zoom: cy.zoom(),
        pan: cy.pan(),
      };
    });
  const list = (page: Page, id: string) => page.locator(`#${id} li`).allInnerTexts();
  const chosen = (page: Page) => page.locator('#name').innerText();

  const small = () =>
    graphPage({ graph: { edges: EDGES }, categories: [{ name: 'moon', split: 'unseen' }] }, 'small');

  it('shows the neighbourhood of the category with the most edges, without a word and without a request', async () => {
    const { page, said } = await open(await small());
    expect(await chosen(page)).toBe('dog');
    expect(await page.locator('#counts').innerText()).toBe('7 categories, 6 edges');
    expect((await list(page, 'incoming')).map((text) => text.replace(/\s+/g, ' '))).toEqual([
      'wolf is-a 0.90',
      'lead functional 0.50',
      `${SCRIPT} co-occurrence 0.20`,
    ]);
    expect((await list(page, 'outgoing')).map((text) => text.replace(/\s+/g, ' '))).toEqual([
      'animal is-a 0.80',
    ]);
    expect(await drawn(page)).toMatchObject({ nodes: [SCRIPT, 'animal', 'dog', 'lead', 'wolf'], edges: 4 });
    await page.locator('#among').check();
    expect((await drawn(page)).edges).toBe(5);
    expect(said).toEqual([]);
    await page.close();
  });

  it('filters by relation and by strength', async () => {
    const { page, said } = await open(await small());
    await page.getByLabel('functional').uncheck();
    expect(await drawn(page)).toMatchObject({ nodes: [SCRIPT, 'animal', 'dog', 'wolf'], edges: 3 });
    expect(await page.locator('#incoming-title').innerText()).toBe('Informed by: 2');
    await page.locator('#strength').fill('0.85');
    expect(await drawn(page)).toMatchObject({ nodes: ['dog', 'wolf'], edges: 1 });
    expect(await page.locator('#counts').innerText()).toBe('7 categories, 6 edges, 2 of them shown');
    await page.getByLabel('functional').check();
    await page.locator('#strength').fill('0');
    expect((await drawn(page)).edges).toBe(4);
    expect(said).toEqual([]);
    await page.close();
  });

  it('goes to a category by click in the drawing, by the lists, by search, and back', async () => {
    const { page, said } = await open(await small());
    const at = await page.locator('#canvas').evaluate((canvas) => {
      const { cy } = (canvas as unknown as Container)._cyreg;
      return cy
        .nodes()
        .toArray()
        .find((node) => node.data('label') === 'wolf')!
        .renderedPosition();
    });
    await page.locator('#canvas').click({ position: at });
    expect(await chosen(page)).toBe('wolf');
    await page.locator('#outgoing button', { hasText: 'lead' }).click();
    expect(await chosen(page)).toBe('lead');
    await page.getByLabel('Category', { exact: true }).fill('SCRIPT');
    expect(await page.locator('#found').innerText()).toBe('2 found');
    await page.keyboard.press('Enter');
    expect(await chosen(page)).toBe(SCRIPT);
    await page.goBack();
    expect(await chosen(page)).toBe('lead');
    await page.getByLabel('Category', { exact: true }).fill('moon');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await chosen(page)).toBe('moon');
    expect(await page.locator('#degree').innerText()).toMatch(/No edge/);
    expect(await page.locator('#name').getAttribute('class')).toBe('unseen');
    await page.getByRole('button', { name: 'Whole graph' }).click();
    expect(await drawn(page)).toMatchObject({ edges: 6, nodes: { length: 6 } });
    expect(said).toEqual([]);
    const linked = await open(await small(), { hash: `#${encodeURIComponent(CLOSING)}` });
    expect(await chosen(linked.page)).toBe(CLOSING);
    expect(linked.said).toEqual([]);
    await Promise.all([page.close(), linked.page.close()]);
  });

  it('zooms and moves by buttons, wheel and keys', async () => {
    const { page, said } = await open(await small());
    const { zoom, pan } = await drawn(page);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    expect((await drawn(page)).zoom).toBeGreaterThan(zoom);
    await page.getByRole('button', { name: 'Fit' }).click();
    expect((await drawn(page)).zoom).toBeCloseTo(zoom);
    await page.locator('#canvas').focus();
    await page.keyboard.press('-');
    expect((await drawn(page)).zoom).toBeLessThan(zoom);
    await page.keyboard.press('0');
    await page.keyboard.press('ArrowRight');
    expect((await drawn(page)).pan.x).toBeCloseTo(pan.x - 60);
    await page.mouse.move(640, 400);
    await page.mouse.wheel(0, -200);
    await expect.poll(async () => (await drawn(page)).zoom).toBeGreaterThan(zoom);
    expect(said).toEqual([]);
    await page.close();
  });

  it('may run and load nothing but itself', async () => {
    const { page, said } = await open(await small());
    // Text, as the types of browsers are not those of this project.
    const ran = await page.evaluate(`
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
      fetch('http://127.0.0.1:9/').then(() => true, () => false).then((fetched) => [window.ran ?? null, fetched])`);
    expect(ran).toEqual([null, false]);
    expect(said.join('\n')).toMatch(/Content Security Policy/);
    await page.close();
  });

  it.each([1280, 400])('fits a window of %i pixels, light and dark', async (width) => {
    const { page, said } = await open(await small(), { width });
    const colours = new Set<string>();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      colours.add(String(await page.evaluate('getComputedStyle(document.body).backgroundColor')));
      const { height } = (await page.locator('#canvas').boundingBox())!;
      expect(height).toBeGreaterThan(400);
    }
    expect(colours.size).toBe(2);
    expect(said).toEqual([]);
    await page.close();
  });

  it('stays usable with 10,000 categories: it draws the strongest neighbours, and lists more', async () => {
    const edges: GraphEdge[] = [];
    for (let target = 1; target < 10_000; target++)
      for (let i = 0; i < 16; i++) {
        const source = (target * (i + 7) * 31 + i) % (i < 8 ? 50 : 10_000);
        const strength = ((target * 13 + i * 29) % 100) / 100 + 0.005;
        if (source !== target)
          edges.push({ source: `c${source}`, target: `c${target}`, relation: 'is-a', strength });
      }
    const { page, said } = await open(await graphPage({ graph: { edges }, categories: [] }, 'large'));
    const first = await drawn(page);
    expect(first.nodes.length).toBeLessThanOrEqual(65);
    expect(await page.locator('#note').innerText()).toMatch(
      /^[\d,]+ weaker neighbours are in the lists only\.$/,
    );
    await expect(page.getByRole('button', { name: 'Whole graph' }).isVisible()).resolves.toBe(false);
    expect(await page.locator('#outgoing li').last().innerText()).toMatch(/and [\d,]+ weaker ones/);
    await page.locator('#outgoing button').nth(3).click();
    expect(await chosen(page)).not.toBe('c0');
    await page.locator('#strength').fill('0.5');
    expect((await drawn(page)).nodes.length).toBeGreaterThan(1);
    expect(said).toEqual([]);
    await page.close();
  });

  it("of a run's folder shows its categories too, linked or not", async () => {
    const run = join(folder, 'run');
    await mkdir(join(run, '_inputs'), { recursive: true });
    await writeFile(join(run, 'graph.json'), await readFile(DEMO_GRAPH));
    const categories = JSON.parse(await readFile(DEMO_CATEGORIES, 'utf8')) as object[];
    const more = [...categories, { name: 'lighthouse', split: 'unseen' }];
    await writeFile(join(run, '_inputs', 'categories.json'), JSON.stringify(more));
    await show(run, '--html', join(folder, 'run.html'));
    const { page, said } = await open(await readFile(join(folder, 'run.html'), 'utf8'), {
      hash: '#lighthouse',
    });
    expect(await page.locator('#counts').innerText()).toBe('192 categories, 809 edges');
    expect(await chosen(page)).toBe('lighthouse');
    expect(said).toEqual([]);
    await page.close();
  });
});

/** What of the drawing library's interface is used here, and how its container leads to it. */
interface Container {
  _cyreg: { cy: Drawing };
}
interface Drawing {
  nodes(): { map<T>(of: (node: DrawnNode) => T): T[]; toArray(): DrawnNode[] };
  edges(): unknown[];
  zoom(): number;
  pan(): { x: number; y: number };
}
interface DrawnNode {
  data(name: string): string;
  renderedPosition(): { x: number; y: number };
}
