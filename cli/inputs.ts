import { readFile } from 'node:fs/promises';
import { parseCategories, type Category } from '../data/categories.ts';
import { Failure, messageOf } from '../data/failure.ts';
import { graphHash, parseGraph } from '../data/graphFile.ts';

/** What of a run's inputs is copied into its folder. */
export interface Inputs {
  categories: Category[];
  graph: { hash: string; json: string } | undefined;
}

/** Reads the files that --categories and --graph name. */
export async function readInputs(flags: { categories: string; graph?: string }): Promise<Inputs> {
  const categories = parseCategories(
    await readUserFile(flags.categories, '--categories'),
    flags.categories,
    (notice) => console.error(notice),
  );
  if (flags.graph === undefined) return { categories, graph: undefined };
  const graph = parseGraph(await readUserFile(flags.graph, '--graph'), flags.graph);
  return { categories, graph: { hash: graphHash(graph), json: JSON.stringify(graph) } };
}

async function readUserFile(path: string, flag: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Failure('Usage.File', `${flag} ${path} cannot be read: ${messageOf(error)}.`, {
      subject: path,
      cause: error,
    });
  }
}
