import type { GraphResult } from '../../../workflows/graph/graphTypes.ts';
import { GRAPH_FILE } from '../../../data/graph/graphLayout.ts';
import { joinUri } from '../../../data/store/open.ts';
import { EXIT } from '../../exit.ts';
import type { RunReference } from '../runReference.ts';
import { spentText } from './texts.ts';

/** What `graph build --json` prints at the end of a finished run. */
export interface GraphSummary extends GraphResult {
  run: string;
  /** URI of the graph. */
  graph: string;
  output: string;
  seconds: number;
}

export const graphSummary = (
  { id, output }: RunReference,
  result: GraphResult,
  seconds: number,
): GraphSummary => ({
  run: id,
  ...result,
  graph: joinUri(output, GRAPH_FILE),
  output,
  seconds: Math.round(seconds * 100) / 100,
});

/** Prints what a finished graph has come to, and returns the command's exit code. */
export function reportGraph(run: RunReference, result: GraphResult, seconds: number, json: boolean): number {
  const summary = graphSummary(run, result, seconds);
  console.log(
    json
      ? JSON.stringify(summary)
      : [`Run ${run.id} finished in ${seconds.toFixed(1)} s.`, ...describeGraph(summary)].join('\n'),
  );
  return EXIT.ok;
}

/** Edges, what they took, and where they are; a line each. */
export function describeGraph(summary: GraphSummary): string[] {
  const { categories, edges, calls, cached, fallbacks, tokens, costUsd, graph, output } = summary;
  return [
    `Graph:    ${edges} edges among ${categories} categories`,
    ...(calls + cached === 0
      ? []
      : [
          `Answers:  ${calls} asked for (${spentText({ spent: tokens, costUsd })}), ${cached} from earlier runs`,
        ]),
    ...(fallbacks === 0
      ? []
      : [
          `Fallback: for ${fallbacks} categories WordNet stands in for the model; _manifest.json says which and why`,
        ]),
    `File:     ${graph}`,
    `To look:  c2srt graph show ${output}`,
  ];
}
