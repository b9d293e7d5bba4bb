import { readGraphPlan } from '../../../data/graph/graphPlan.ts';
import { ANSWERS } from '../../../data/graph/graphLayout.ts';
import { MANIFEST } from '../../../data/run/layout.ts';
import { readJsonIfThere } from '../../../data/store/json.ts';
import type { ObjectStore } from '../../../data/store/store.ts';
import type { Tokens } from '../../../data/graph/tokens.ts';
import type { GraphResult } from '../../../workflows/graph/graphTypes.ts';
import type { GraphRunProgress } from './progress.ts';
import { spentText } from './texts.ts';

/** What `status` says of a graph alone; null where the folder by itself does not tell. */
export interface GraphStatus {
  /** Questions in all, and those with an answer. */
  calls: number | null;
  callsDone: number;
  cached: number | null;
  fallbacks: number | null;
  spent: Tokens | null;
  costUsd: number | null;
  /** Queues that the run waits for and that no worker polls. */
  unpolled: string[];
}

/** What the run's folder says by itself: its result, or how many answers there are. */
export async function graphStatusOfFolder(output: ObjectStore): Promise<GraphStatus> {
  const manifest = (await readJsonIfThere(output, MANIFEST)) as { result: GraphResult } | undefined;
  if (manifest) {
    const { calls, cached, fallbacks, tokens, costUsd } = manifest.result;
    return { calls, callsDone: calls, cached, fallbacks, spent: tokens, costUsd, unpolled: [] };
  }
  const plan = await readGraphPlan(output);
  let callsDone = 0;
  for await (const _ of output.list({ prefix: ANSWERS })) callsDone++;
  return {
    calls: plan?.calls.length ?? null,
    callsDone,
    cached: null,
    fallbacks: null,
    spent: null,
    costUsd: null,
    unpolled: [],
  };
}

export const graphStatus = (progress: GraphRunProgress): GraphStatus => {
  const { stage, calls, callsDone, cached, fallbacks, spent, costUsd, unpolled } = progress;
  const isPlanned = stage !== 'plan';
  return {
    calls: isPlanned ? calls : null,
    callsDone,
    cached: isPlanned ? cached : null,
    fallbacks: isPlanned ? fallbacks : null,
    spent: isPlanned ? spent : null,
    costUsd: isPlanned ? costUsd : null,
    unpolled,
  };
};

export function describeGraphStatus(status: GraphStatus): string[] {
  const { calls, callsDone, cached, fallbacks, spent, costUsd } = status;
  const of = calls === null ? '' : ` of ${calls}`;
  const more = [
    ...(cached === null || cached === 0 ? [] : [`${cached} more from earlier runs`]),
    ...(fallbacks === null || fallbacks === 0 ? [] : [`${fallbacks} by WordNet instead`]),
  ];
  return [
    `  answers  ${[`${callsDone}${of}`, ...more].join(', ')}`,
    ...(spent === null || costUsd === null ? [] : [`  spent    ${spentText({ spent, costUsd })}`]),
    ...status.unpolled.map((queue) => `  waiting  no worker polls \`${queue}\`: \`c2srt worker\` starts one`),
  ];
}
