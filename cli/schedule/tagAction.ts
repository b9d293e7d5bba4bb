import { writeIncrementRequest } from '../../data/chain/increments.ts';
import type { Settings } from '../../data/config/schema.ts';
import { Failure } from '../../data/failure.ts';
import { canonicalUri, openStore } from '../../data/store/open.ts';
import { probeConditionalPuts } from '../../data/store/probe.ts';
import type { TagIncrementInput } from '../../workflows/tag/incrementTypes.ts';
import { refuseNested, refuseUnreadable, tagSpecOf, type TagFlags } from '../commands/tag.ts';
import { unpinnedModelUri } from '../models.ts';
import { readSources, type Sources } from '../sources.ts';
import { readVocabularies } from '../vocabularies.ts';
import type { ScheduledAction } from './action.ts';

/** Flags of `tag`, and its sources. Lists and inventories are of one moment: each run would read the same again. */
export interface TagActionFlags extends Omit<TagFlags, 'categories' | 'out' | 'keys' | 'inventory'> {
  source?: string[];
  categories?: string[];
  out?: string;
}

/** The flags that are of tag runs alone. */
export const TAG_FLAGS = [
  'source',
  'categories',
  'out',
  'unsigned',
  'requesterPays',
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
  const vocabularies = await readVocabularies(given);
  const sources = await readSources(given.source, given);
  refuseInventories(sources.spec);
  // Pinned here, an alias is known to be there; each run pins it again.
  const asked = await tagSpecOf(sources.spec, given, settings, vocabularies);
  const out = canonicalUri(given.out);
  refuseNested(asked.sources, out);
  await refuseUnreadable(asked, console.error);
  const { retry: _, ...spec } = asked;
  const chain = openStore(out);
  await probeConditionalPuts(chain);
  const request = await writeIncrementRequest(chain, {
    version: 1,
    spec: { ...spec, model: unpinnedModelUri(settings.model) },
    vocabularies: vocabularies.map(({ name, categories, graph }) => ({
      name,
      categories,
      graph: graph ? { json: graph.json } : null,
    })),
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

function refuseInventories({ sources }: Sources['spec']): void {
  const inventory = sources.find((source) => source.inventory !== null)?.inventory;
  if (inventory)
    throw new Failure(
      'Usage.Source',
      `--source ${inventory.uri} is an inventory: no run would find anything new in it.`,
      {
        subject: inventory.uri,
        hint: 'Name its bucket or a prefix, which each run lists anew.',
      },
    );
}

function required<T>(flag: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new Failure('Usage.Flag', `${flag} is missing: a schedule of tag runs needs it.`);
}
