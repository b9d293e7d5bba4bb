/** `c2srt graph build` against a server of this machine that answers from the demo's graph. */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseGraph, type CategoryGraph } from '../../../data/graphFile.ts';
import { startLlmServer, type LlmServer } from '../servers/llmServer.ts';
import { TINY_MODEL } from '../slowModel.ts';
import type { Workplace } from '../workplace.ts';

const asset = (name: string): string =>
  fileURLToPath(new URL(`../../../assets/demo/${name}`, import.meta.url));

export const DEMO_GRAPH: CategoryGraph = parseGraph(readFileSync(asset('graph.json')), 'graph.json');

const CATEGORIES = JSON.parse(readFileSync(asset('categories.json'), 'utf8')) as {
  name: string;
  split: 'seen' | 'unseen';
}[];

/** The first categories of the demo, as a file of a workplace; their names. */
export async function writeCategories(place: Workplace, name: string, count: number): Promise<string[]> {
  const categories = CATEGORIES.slice(0, count).map(({ name, split }) => ({ name, split }));
  await writeFile(place.path(name), JSON.stringify(categories));
  return categories.map((category) => category.name);
}

export const startOracle = (): Promise<LlmServer> => startLlmServer(DEMO_GRAPH.edges);

/** Arguments of a build of `categories` into `out`. */
export const buildArgs = (
  server: LlmServer,
  categories: string,
  out: string,
  ...more: string[]
): string[] => [
  ...['graph', 'build', '--provider', 'llm', '--llm', 'oracle', '--llm-base-url', server.baseUrl],
  ...['--categories', categories, '--out', out, '--model', TINY_MODEL, '--candidates', '8', ...more],
];

export const builtGraph = async (out: string): Promise<CategoryGraph> =>
  parseGraph(await readFile(`${out}/graph.json`), 'graph.json');

export const manifestOf = async (out: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(`${out}/_manifest.json`, 'utf8')) as Record<string, unknown>;
