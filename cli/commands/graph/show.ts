import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Failure } from '../../../data/failure.ts';
import type { CategoryGraph, GraphEdge } from '../../../data/graphFile.ts';
import { classifyFileError } from '../../../data/store/file/classifyFile.ts';
import { compareUtf8 } from '../../../data/utf8Order.ts';
import { graphPage, type ShownGraph } from '../../graph/graphPage.ts';
import { readShownGraph } from '../../graph/readGraph.ts';

/** Categories that the summary names, those with the most edges first. */
const LISTED = 20;

export function graphShowCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('show')
    .description('Show a category graph: of a run of `graph build`, of a model, or a file.')
    .argument('<graph>', "a folder's URI, or a JSON or CSV file")
    .option('--category <name>', 'only the edges of this category')
    .option('--json', 'print the edges as JSON')
    .option(
      '--html <file>',
      'write a page that draws the graph, one file for any browser, and print nothing else',
    )
    .action(async (place: string, flags: { category?: string; json?: boolean; html?: string }) => {
      const shown = await readShownGraph(place);
      const { graph } = shown;
      if (flags.html !== undefined) {
        await writePage(flags.html, shown, place);
        finish(0);
        return;
      }
      const edges = flags.category === undefined ? graph.edges : edgesOf(graph, flags.category, place);
      console.log(
        flags.json
          ? JSON.stringify({ edges })
          : (flags.category === undefined ? summary(shown) : listing(edges, flags.category)).join('\n'),
      );
      finish(0);
    });
}

async function writePage(file: string, shown: ShownGraph, place: string): Promise<void> {
  if (shown.graph.edges.length === 0 && shown.categories.length === 0)
    throw new Failure('Graph.Empty', `${place} has neither edges nor categories to draw.`, {
      subject: place,
    });
  const page = await graphPage(shown, `Category graph of ${place}`);
  try {
    await writeFile(file, page);
  } catch (error) {
    throw classifyFileError(error, file);
  }
}

function edgesOf({ edges }: CategoryGraph, category: string, place: string): GraphEdge[] {
  const own = edges.filter(({ source, target }) => source === category || target === category);
  if (own.length > 0) return own;
  throw new Failure('Usage.Flag', `${place} has no edge of "${category}".`, { subject: place });
}

function summary({ graph: { edges }, categories }: ShownGraph): string[] {
  const linked = new Set(edges.flatMap(({ source, target }) => [source, target]));
  const unlinked = categories.filter(({ name }) => !linked.has(name)).length;
  const byRelation = [...Map.groupBy(edges, ({ relation }) => relation)].map(
    ([relation, { length }]) => `${length} ${relation}`,
  );
  const incoming = Map.groupBy(edges, ({ target }) => target);
  const listed = [...incoming]
    .sort(([a, into], [b, others]) => others.length - into.length || compareUtf8(a, b))
    .slice(0, LISTED);
  return [
    `${edges.length} edges into ${incoming.size} categories: ${byRelation.join(', ')}`,
    ...(unlinked > 0 ? [`${unlinked} categories have no edge`] : []),
    ...listed.map(([target, into]) => `  ${target}: ${into.map(({ source }) => source).join(', ')}`),
    ...(incoming.size > LISTED
      ? [`  ... and ${incoming.size - LISTED} more; --category NAME shows one, --json all`]
      : []),
  ];
}

function listing(edges: readonly GraphEdge[], category: string): string[] {
  const line = ({ source, target, relation, strength }: GraphEdge): string =>
    `  ${target === category ? `${source} ->` : `-> ${target}`}  ${relation} ${strength}`;
  const into = edges.filter(({ target }) => target === category);
  const from = edges.filter(({ source }) => source === category);
  return [
    `${category}: ${into.length} edges into it, ${from.length} from it`,
    ...into.map(line),
    ...from.map(line),
  ];
}
