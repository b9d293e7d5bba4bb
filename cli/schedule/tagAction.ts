import { writeIncrementRequest } from '../../data/chain/increments.ts';
import type { Settings } from '../../data/config/schema.ts';
import { Failure } from '../../data/failure.ts';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import { probeConditionalPuts } from '../../data/store/probe.ts';
import type { TagIncrementInput } from '../../workflows/incrementTypes.ts';
import { refuseNested, refuseUnreadable, tagSpecOf, type TagFlags } from '../commands/tag.ts';
import { readInputs } from '../inputs.ts';
import { unpinnedModelUri } from '../models.ts';
import type { ScheduledAction } from './action.ts';

/** Flags of `tag`, and its source. */
export interface TagActionFlags extends Omit<TagFlags, 'categories' | 'out'> {
  source?: string;
  categories?: string;
  out?: string;
}

/** The flags that are of tag runs alone. */
export const TAG_FLAGS = [
  'source',
  'categories',
  'out',
  'graph',
  'include',
  'exclude',
  'since',
  'topK',
  'threshold',
  'embedding',
] as const satisfies (keyof TagActionFlags)[];

/** Runs that go on from one another, all in one folder. */
export async function tagAction(
  name: string,
  flags: TagActionFlags,
  settings: Settings,
): Promise<ScheduledAction> {
  const given = {
    ...flags,
    source: required('--source', flags.source),
    categories: required('--categories', flags.categories),
    out: required('--out', flags.out),
  };
  const inputs = await readInputs(given);
  // Pinned here, an alias is known to be there; each run pins it again.
  const { retry: _, ...spec } = await tagSpecOf(canonicalUri(given.source), given, settings, inputs);
  const out = canonicalUri(given.out);
  refuseNested(spec.source, out);
  await refuseUnreadable(spec);
  const chain = openStore(out);
  await probeConditionalPuts(chain);
  const request = await writeIncrementRequest(chain, {
    version: 1,
    spec: { ...spec, model: unpinnedModelUri(settings.model) },
    categories: inputs.categories,
    graph: inputs.graph ? { json: inputs.graph.json } : null,
  });
  const { concurrency, maxFailureRate, heartbeatTimeoutS } = settings;
  const input: TagIncrementInput = {
    out,
    request,
    controls: { concurrency, maxFailureRate, heartbeatTimeoutS },
  };
  return {
    workflow: 'tagIncrement',
    args: [input],
    workflowIdPrefix: `increment-${name}`,
    memo: { out },
  };
}

function required(flag: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new Failure('Usage.Flag', `${flag} is missing: a schedule of tag runs needs it.`);
}
