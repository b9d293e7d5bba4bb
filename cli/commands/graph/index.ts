import type { Command } from 'commander';
import { graphBuildCommand } from './build.ts';
import { graphDiffCommand } from './diff.ts';
import { graphShowCommand } from './show.ts';

export function graphCommand(program: Command, finish: (code: number) => void): void {
  const graph = program
    .command('graph')
    .description(
      'Category graphs: build one from WordNet, a language model or a file; look at one, compare two.',
    );
  for (const add of [graphBuildCommand, graphShowCommand, graphDiffCommand]) add(graph, finish);
}
