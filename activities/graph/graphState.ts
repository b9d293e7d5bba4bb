import pMap from 'p-map';
import { Failure } from '../../data/failure.ts';
import { ANSWERS, answerKey, callOfKey } from '../../data/graph/graphLayout.ts';
import { readAnswerFile, readGraphPlan } from '../../data/graph/graphPlan.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import type { GraphState } from '../../workflows/graph/graphTypes.ts';
import { spentOf } from './ledger.ts';

/** Answers read at once: each is a small object, so latency is what there is to hide. */
const CONCURRENCY = 32;

/** Which questions of a run are answered, and what that took. Throws `Run.Incomplete` before it is planned. */
export async function readGraphState(output: ObjectStore): Promise<GraphState> {
  const plan = await readGraphPlan(output);
  if (!plan)
    throw new Failure('Run.Incomplete', `${output.uri} is not planned yet.`, { subject: output.uri });
  const answered = new Set<number>();
  for await (const { key } of output.list({ prefix: ANSWERS })) {
    const call = callOfKey(key);
    if (call !== undefined) answered.add(call);
  }
  const answers = await pMap(answered, (call) => readAnswerFile(output, answerKey(call)), {
    concurrency: CONCURRENCY,
  });
  return {
    pending: gaps(plan.calls.length, answered),
    fallbacks: answers.filter(({ fallback }) => fallback !== null).length,
    spent: await spentOf(output),
  };
}

/** The ranges [from, to) of whole numbers below `end` that are not in `present`. */
function gaps(end: number, present: ReadonlySet<number>): GraphState['pending'] {
  const ranges: { from: number; to: number }[] = [];
  for (let i = 0; i < end; i++) {
    if (present.has(i)) continue;
    const last = ranges.at(-1);
    if (last?.to === i) last.to = i + 1;
    else ranges.push({ from: i, to: i + 1 });
  }
  return ranges;
}
