import { Failure } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { readPlanIndex, type PlanIndex } from '../run/plan/plan.ts';
import type { TagRecord, TagSpec } from '../run/record.ts';
import { requireFinishedTagRun } from '../run/requireRun.ts';
import { nestedSources } from '../run/plan/nestedSources.ts';

/** A finished run of a chain. */
export interface ChainRun {
  output: ObjectStore;
  record: TagRecord;
  index: PlanIndex;
}

/** The run that another goes on from: the one that it is incremental to, or whose failures it tried again. */
export const parentOf = ({ since, retry }: Pick<TagSpec, 'since' | 'retry'>): string | null =>
  retry?.parent ?? since;

/**
 * The runs that lead to a finished one, oldest first: a full run, then incremental ones and retries, each going on
 * from the one before.
 *
 * @throws Failure `Run.NotFound`, `Run.OtherKind`, `Run.Unfinished`, naming the run of the chain that it is about;
 *   `Run.Chain` where records name each other in a circle.
 */
export async function readChain(
  output: ObjectStore,
  openStore: (uri: string) => ObjectStore,
): Promise<ChainRun[]> {
  const chain: ChainRun[] = [];
  for (let at: ObjectStore | undefined = output; at;) {
    const { uri } = at;
    if (chain.some((run) => run.output.uri === uri))
      throw new Failure('Run.Chain', `The records of the runs before ${output.uri} lead back to ${uri}.`, {
        subject: uri,
      });
    const record = await requireFinishedTagRun(at);
    const index = await readPlanIndex(at);
    if (!index) throw new Failure('Run.Incomplete', `${uri} has no plan.`, { subject: uri });
    chain.unshift({ output: at, record, index });
    const parent = parentOf(record.spec);
    at = parent === null ? undefined : openStore(parent);
  }
  return chain;
}

/**
 * The chains of several runs as one, oldest first: the first run's, then of each next one what is not in it yet.
 *
 * @throws Failure as {@link readChain}; `Run.Different` where a source of one lies within one of another, so that an
 *   image would have two names.
 */
export async function readChains(
  outputs: readonly ObjectStore[],
  openStore: (uri: string) => ObjectStore,
): Promise<ChainRun[]> {
  const all: ChainRun[] = [];
  for (const output of outputs)
    for (const run of await readChain(output, openStore))
      if (!all.some((known) => known.output.uri === run.output.uri)) all.push(run);
  const runOf = new Map(all.flatMap((run) => run.record.spec.sources.map(({ uri }) => [uri, run] as const)));
  const nested = nestedSources([...runOf.keys()]);
  if (!nested) return all;
  const [outer, inner] = nested.map((uri) => ({ uri, run: runOf.get(uri)!.output.uri }));
  throw new Failure(
    'Run.Different',
    `The source ${inner!.uri} of ${inner!.run} lies within ${outer!.uri} of ${outer!.run}.`,
    { subject: inner!.uri, hint: 'One view is of sources none of which lies within another.' },
  );
}
