import type { Command } from 'commander';
import { diffGraphs, type GraphDiff } from '../../../data/graph/graphDiff.ts';
import { EXIT } from '../../exit.ts';
import { readGraph } from '../../graph/readGraph.ts';

export function graphDiffCommand(program: Command, finish: (code: number) => void): void {
  program
    .command('diff')
    .description('Edges that a graph has and another has not, and those whose strength differs.')
    .argument('<before>', "a folder's URI, or a JSON or CSV file")
    .argument('<after>', 'the same')
    .option('--json', 'print one JSON object')
    .action(async (before: string, after: string, flags: { json?: boolean }) => {
      const [old, current] = await Promise.all([readGraph(before), readGraph(after)]);
      const diff = diffGraphs(old, current);
      console.log(flags.json ? JSON.stringify(diff) : describeDiff(diff).join('\n'));
      finish(EXIT.ok);
    });
}

/** A line per edge: `+` added, `-` removed, `~` changed; and the counts. */
function describeDiff({ added, removed, changed, unchanged }: GraphDiff): string[] {
  const line = (
    sign: string,
    strength: string,
    edge: GraphDiff['added'][number] | GraphDiff['changed'][number],
  ) => `${sign} ${edge.source} -> ${edge.target}  ${edge.relation} ${strength}`;
  return [
    ...removed.map((edge) => line('-', String(edge.strength), edge)),
    ...added.map((edge) => line('+', String(edge.strength), edge)),
    ...changed.map((edge) => line('~', `${edge.before} -> ${edge.after}`, edge)),
    `${added.length} edges added, ${removed.length} removed, ${changed.length} changed, ${unchanged} the same`,
  ];
}
