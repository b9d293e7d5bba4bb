import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Split } from '../../data/categories.ts';
import { RELATIONS, type CategoryGraph } from '../../data/graphFile.ts';
import { selfContainedPage } from '../selfContainedPage.ts';

const require = createRequire(import.meta.url);
const PAGE = join(dirname(require.resolve('c2srt/package.json')), 'cli', 'pages', 'graph');

/** A category that is shown, linked or not. */
export interface ShownCategory {
  name: string;
  split?: Split;
}

/** Categories that no edge names are shown too; those that only edges name need not be listed. */
export interface ShownGraph {
  graph: CategoryGraph;
  categories: readonly ShownCategory[];
}

/**
 * A page that draws a category graph: one file, which loads nothing and may load nothing, by its own policy, so that it
 * can be kept, sent and opened from a disk.
 *
 * @param title shown by the browser; text like all that comes from the graph
 */
export async function graphPage(shown: ShownGraph, title: string): Promise<string> {
  const [library, script, style, body] = await Promise.all([
    readFile(require.resolve('cytoscape/dist/cytoscape.min.js'), 'utf8'),
    readFile(join(PAGE, 'page.js'), 'utf8'),
    readFile(join(PAGE, 'page.css'), 'utf8'),
    readFile(join(PAGE, 'page.html'), 'utf8'),
  ]);
  return selfContainedPage({
    title,
    style,
    // The library brings a style element of its own, which the policy would refuse, unless there is one of its name.
    styleId: '__________cytoscape_stylesheet',
    body: `${body}<span id="probe" hidden></span>`,
    scripts: [library, script],
    data: { id: 'graph', value: dataOf(shown) },
  });
}

/** What the page's script reads: names once, everything else by their indices. */
function dataOf({ graph, categories }: ShownGraph): object {
  const indices = new Map<string, number>();
  const indexOf = (name: string): number => {
    const index = indices.get(name) ?? indices.size;
    indices.set(name, index);
    return index;
  };
  const unseen = categories.flatMap(({ name, split }) => {
    const index = indexOf(name);
    return split === 'unseen' ? [index] : [];
  });
  const relations = RELATIONS.filter((relation) => relation !== 'self');
  const edges = graph.edges.map(({ source, target, relation, strength }) => [
    indexOf(source),
    indexOf(target),
    relations.indexOf(relation),
    strength,
  ]);
  return { names: [...indices.keys()], unseen, relations, edges };
}
