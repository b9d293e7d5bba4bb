import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { selfContainedPage } from '../selfContainedPage.ts';
import type { ShownImage } from './images/shownImage.ts';
import type { Report } from './report.ts';

const require = createRequire(import.meta.url);
const PAGE = join(dirname(require.resolve('c2srt/package.json')), 'cli', 'pages', 'report');
// They declare no entry for their builds for pages.
const libraryFile = (name: string, file: string): string => join(dirname(require.resolve(name)), '..', file);

/** Of all kinds and of one, in the order of their dependencies. */
const SHARED_SCRIPTS = ['elements.js', 'tables.js', 'charts.js', 'gallery.js', 'evidence.js', 'figures.js'];
const KIND_SCRIPTS: Readonly<Record<Report['kind'], readonly string[]>> = {
  run: ['run.js'],
  model: ['modelChoices.js', 'model.js'],
  comparison: ['comparison.js'],
};
const STYLES = ['page.css', 'images.css'];

/**
 * The page of a report. Of its images it has as many, from the first, as keep it below `maxBytes`, and says how many there
 * were.
 */
export async function reportPage(report: Report, maxBytes: number): Promise<string> {
  const { title, kind, data, names, vocabularies = null, relations, images, graph } = report;
  const partsOf = (files: readonly string[]) =>
    Promise.all(files.map((file) => readFile(join(PAGE, file), 'utf8')));
  const body = await readFile(join(PAGE, 'page.html'), 'utf8');
  const style = (await partsOf(STYLES)).join('');
  const libraries = [
    libraryFile('d3', 'dist/d3.min.js'),
    libraryFile('@observablehq/plot', 'dist/plot.umd.min.js'),
  ];
  const scripts = [
    ...(await Promise.all(libraries.map((file) => readFile(file, 'utf8')))),
    ...(await partsOf([...SHARED_SCRIPTS, ...KIND_SCRIPTS[kind]])),
  ];
  const graphAt = graph === undefined ? null : GRAPH_PAGE;
  const value = { title, kind, ...data, names, vocabularies, relations, graph: graphAt };
  const fixed = [style, body, ...scripts, JSON.stringify(value)].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    0,
  );
  const shown = imagesWithin(images, maxBytes - fixed);
  return selfContainedPage({
    ...{ title, body, style, scripts },
    data: { id: 'report', value: { ...value, images: shown, imagesChosen: images.length } },
  });
}

/** The page of a report's category graph, beside it. */
export const GRAPH_PAGE = 'graph.html';

function imagesWithin(images: readonly ShownImage[], bytes: number): ShownImage[] {
  let left = bytes;
  const first = images.findIndex((image) => {
    left -= Buffer.byteLength(JSON.stringify(image)) + 1;
    return left < 0;
  });
  return first < 0 ? [...images] : images.slice(0, first);
}
