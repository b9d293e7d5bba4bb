import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseCategories } from '../../data/categories.ts';
import { Failure, isFailure, messageOf } from '../../data/failure.ts';
import { GRAPH_FILE } from '../../data/graph/graphLayout.ts';
import { parseGraph, type CategoryGraph } from '../../data/graphFile.ts';
import { CATEGORIES } from '../../data/run/layout.ts';
import { openStore } from '../../data/store/open.ts';
import type { ShownCategory, ShownGraph } from './graphPage.ts';

/** Of a run, and of a model. */
const CATEGORY_FILES = [CATEGORIES, 'categories.json'];

/** The graph in a folder (of a run of `graph build`, or a model), or in a file. Throws `Usage.File`, `Graph.Invalid`. */
export async function readGraph(place: string): Promise<CategoryGraph> {
  const isOneFile = isFile(place);
  try {
    const body = isOneFile ? await readFile(place) : (await openStore(place).get(GRAPH_FILE)).body;
    return parseGraph(body, isOneFile ? place : GRAPH_FILE);
  } catch (error) {
    if (isFailure(error, 'Graph.Invalid')) throw error;
    throw new Failure('Usage.File', `No graph can be read from ${place}: ${messageOf(error)}`, {
      subject: place,
      hint: 'Give the folder of a finished `c2srt graph build`, a model folder, or a JSON or CSV file.',
      cause: error,
    });
  }
}

/** {@link readGraph}, with the folder's categories, linked or not; of a file, those that its edges name. */
export async function readShownGraph(place: string): Promise<ShownGraph> {
  const graph = await readGraph(place);
  return { graph, categories: isFile(place) ? [] : await categoriesOf(place) };
}

async function categoriesOf(place: string): Promise<ShownCategory[]> {
  const store = openStore(place);
  for (const key of CATEGORY_FILES)
    if (await store.head(key)) return parseCategories((await store.get(key)).body, key);
  return [];
}

const isFile = (place: string): boolean =>
  !/^[a-z0-9+.-]+:\/\//i.test(place) && statSync(place, { throwIfNoEntry: false })?.isFile() === true;
