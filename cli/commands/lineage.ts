import type { Command } from 'commander';
import type { Figures, GraphLineage, TrainingLineage } from '../../data/models/lineage.ts';
import { followLineage, type LineageNode } from '../../data/models/lineageTree.ts';
import { openStore } from '../../data/store/open.ts';
import { modelUri } from '../models.ts';
import { wholeNumber } from '../wholeNumber.ts';

export function lineageCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('lineage')
    .description(
      'Where a model came from: snapshot, graph, parameters, code, figures, and the models before it.',
    )
    .argument('<model>', 'a folder of published models, one of their versions, or the folder of a training')
    .option('--depth <n>', 'models one behind the other that are told', '10')
    .option('--json', 'print JSON')
    .action(async (model: string, flags: { depth: string; json?: boolean }) => {
      const tree = await followLineage(
        await modelUri(model),
        openStore,
        wholeNumber('--depth', flags.depth, 1),
      );
      console.log(flags.json ? JSON.stringify(tree) : linesOf(tree).join('\n'));
      finish(0);
    });
}

/** A model and, below it and further in, what it was trained from and what it took the place of. */
function linesOf({ uri, lineage, base, parent, cut }: LineageNode): string[] {
  const lines = [`${uri}${cut ? ' ...' : ''}`];
  if (lineage) {
    const { published } = lineage;
    if (published) {
      const { publishedAt, by, code } = published;
      lines.push(
        `  published  ${publishedAt}, by ${by}`,
        `  code       ${code.version}${code.commit === null ? '' : `, commit ${code.commit}`}`,
      );
    }
    lines.push(
      ...figureLines(lineage.figures),
      ...graphLines(lineage.graph),
      ...trainingLines(lineage.training),
    );
    const gate = published?.gate ?? null;
    if (gate !== null)
      lines.push(...gate.rules.map(({ why }, i) => `  ${i === 0 ? 'gate' : '    '}       ${why}`));
  }
  const further = (name: string, node: LineageNode | null): string[] =>
    node === null ? [] : [`  ${name}`, ...linesOf(node).map((line) => `    ${line}`)];
  return [...lines, ...further('started from', base), ...further('took the place of', parent)];
}

function figureLines(figures: Figures): string[] {
  const texts = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  return texts.length === 0 ? [] : [`  figures    ${texts.join(', ')}`];
}

function graphLines(graph: GraphLineage | null): string[] {
  if (graph === null) return [];
  const { hash, provider, tokens, costUsd } = graph;
  const cost = [
    ...(tokens === null ? [] : [`${tokens} tokens`]),
    ...(costUsd === null ? [] : [`${costUsd.toFixed(4)} USD`]),
  ];
  return [`  graph      ${[provider, ...cost, hash].filter((text) => text !== null).join(', ')}`];
}

function trainingLines(training: TrainingLineage | null): string[] {
  if (training === null) return [];
  const { run, folder, startedAt, data, validation, snapshot, settings } = training;
  return [
    `  training   ${run} in ${folder}, started ${startedAt}`,
    `  data       ${data}${validation === null ? '' : `, held back ${validation}`}`,
    ...(snapshot
      ? [
          `  snapshot   ${snapshot.images} images and ${snapshot.validationImages} held back, ${snapshot.hash}`,
        ]
      : []),
    `  settings   ${Object.entries(settings)
      .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(', ')}`,
  ];
}
