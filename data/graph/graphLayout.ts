/** Where things lie in the folder of a run of kind `graph` (docs/graph.md). */

/** What the run comes to: a category graph, as `parseGraph` reads it. */
export const GRAPH_FILE = 'graph.json';

/** Which questions are to be asked; and what else planning found, in the folder of the attempt that counts. */
export const GRAPH_PLAN = '_plan.json';
export const planBaseKey = (attempt: string): string => `_plan/${attempt}/base.json`;

export const ANSWERS = '_answers/';
/** The answer to the n-th question of the plan. */
export const answerKey = (call: number): string => `${ANSWERS}${String(call).padStart(6, '0')}.json`;

/** The number of the question that an answer's key is of. */
export function callOfKey(key: string): number | undefined {
  const digits = /(\d{6,})\.json$/.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export const LEDGER = '_calls/';
/** What a batch of questions has cost: an object per request, written before it is sent. */
export const ledgerFolder = (batch: string): string => `${LEDGER}${batch}/`;
export const ledgerKey = (batch: string, request: string): string => `${ledgerFolder(batch)}${request}.json`;
