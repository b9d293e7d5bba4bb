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

/** In the order of their dependencies; the last is the kind's own. */
const SHARED_SCRIPTS = ['elements.js', 'tables.js', 'charts.js', 'gallery.js', 'evidence.js', 'figures.js'];

/**
 * The page of a report. Of its images it has as many, from the first, as keep it below `maxBytes`, and says how many there
 * were.
 */
export async function reportPage(report: Report, maxBytes: number): Promise<string> {
  const [style, body, d3, plot, ...own] = await Promise.all([
    readFile(join(PAGE, 'page.css'), 'utf8'),
    readFile(join(PAGE, 'page.html'), 'utf8'),
    readFile(libraryFile('d3', 'dist/d3.min.js'), 'utf8'),
    readFile(libraryFile('@observablehq/plot', 'dist/plot.umd.min.js'), 'utf8'),
    ...[...SHARED_SCRIPTS, `${report.kind}.js`].map((name) => readFile(join(PAGE, name), 'utf8')),
  ]);
  const scripts = [d3, plot, ...own];
  const { title, kind, data, names, vocabularies = null, relations, images, graph } = report;
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
