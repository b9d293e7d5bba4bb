/**
 * A chain of tag runs in one folder, each incremental to the newest finished one before it: what a schedule adds to. The
 * folder's head says which run is the newest; it changes by compare-and-swap alone, so that two that add at once never go
 * on from the same run.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Failure, isFailure } from '../failure.ts';
import { pinModel } from '../models/pinModel.ts';
import { claimRun, type RunInputs } from '../run/claim.ts';
import { RUN_RECORD, SUCCESS } from '../run/layout.ts';
import { readPlanIndex } from '../run/plan/plan.ts';
import { currentTagSpec, readRunRecord, runIdOf, tagSpecSchema } from '../run/record.ts';
import { requireFinishedTagRun } from '../run/requireRun.ts';
import { putJsonOnce, readJson } from '../store/json.ts';
import { joinUri } from '../store/open.ts';
import type { ObjectStore } from '../store/store.ts';
import { sourcesBeside } from './sourcesBeside.ts';

const HEAD = '_schedule/head.json';
const requestKey = (hash: string): string => `_schedule/requests/${hash}.json`;

/** A request as it is written today: earlier releases knew one vocabulary. */
function currentRequest(request: unknown): unknown {
  const { spec, categories, graph, ...rest } = request as Record<string, unknown>;
  return categories === undefined
    ? request
    : { ...rest, spec: currentTagSpec(spec as object), vocabularies: [{ name: null, categories, graph }] };
}

const requestSchema = z.preprocess(
  currentRequest,
  z.object({
    version: z.literal(1),
    /**
     * What every run of the chain is asked for. `since` is what the first one goes on from (null: it is a full run); a
     * `model` that is an alias means what it names when a run starts.
     */
    spec: tagSpecSchema.omit({ retry: true }),
    /** The inputs of its vocabularies. */
    vocabularies: z
      .array(
        z.object({
          name: z.string().nullable(),
          categories: z.array(z.unknown()),
          graph: z.object({ json: z.string() }).nullable(),
        }),
      )
      .min(1),
  }),
);

/** What the runs of a chain are asked for, frozen in the chain's folder. */
export type IncrementRequest = z.infer<typeof requestSchema>;

const headSchema = z.object({
  /** URI of the newest run, at work or finished. */
  run: z.string(),
  /** URI of the finished run that it is incremental to; null for a full run. */
  since: z.string().nullable(),
  /** Id of the workflow that does it. */
  by: z.string(),
  /** The execution that began it; null where it began nothing after this run. */
  begunBy: z.string().nullable(),
});

type Head = z.infer<typeof headSchema>;

/** A run that is next to be done in a chain. */
export interface Increment {
  run: string;
  since: string | null;
  /** The workflow that does it, where that is another than the one that asked; null: it is the asker's to do. */
  heldBy: string | null;
  /** Whether the asker began it; else it is one that was left unfinished. */
  isNew: boolean;
}

/** Freezes a request in a chain's folder; returns its hash, by which it is found. */
export async function writeIncrementRequest(chain: ObjectStore, request: IncrementRequest): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16);
  await putJsonOnce(chain, requestKey(hash), request, () => readRequest(chain, hash));
  return hash;
}

export interface IncrementOptions {
  openStore(uri: string): ObjectStore;
  /** Hash of the request. */
  request: string;
  /** Id of the workflow that asks, which names the run that it begins; and of its execution, which no other has. */
  by: string;
  execution: string;
  /** The workflow whose unfinished run is to be taken over: it is no longer at work. */
  takeOver?: string | undefined;
}

/**
 * The run that is next in a chain: a new one, incremental to the newest finished run; or the newest, where that is not
 * finished yet. The run's folder is ready for its workflow, unless another workflow holds it. Asking again gives the same.
 *
 * @throws Failure `Model.NoAlias`, `Model.NoVersion`; `Schedule.OtherSource` where the newest run has a source that is not
 *   asked for; `Run.NotFound`, `Run.Unfinished` where what the first run is to go on from is no finished run
 */
export async function nextIncrement(chain: ObjectStore, options: IncrementOptions): Promise<Increment> {
  const { openStore, by, execution, takeOver } = options;
  const request = await readRequest(chain, options.request);
  for (;;) {
    const read = await readHead(chain);
    const head = read?.head;
    const isNew = head?.begunBy === execution;
    if (head && (isNew || !(await isFinished(openStore(head.run))))) {
      const { run, since } = head;
      if (head.by !== by && head.by !== takeOver) return { run, since, heldBy: head.by, isNew };
      if (head.by !== by && !(await swapHead(chain, { ...head, by }, read.etag))) continue;
      await writeRun(openStore, request, head);
      return { run, since, heldBy: null, isNew };
    }
    const since = head ? head.run : request.spec.since;
    if (since !== null) await refuseOtherSource(openStore(since), request);
    const run = await newFolder(chain, options);
    await swapHead(chain, { run, since, by, begunBy: execution }, read?.etag);
  }
}

/** Named by the workflow; a second one of that name, as where a span of time is made up for twice, by its execution too. */
async function newFolder(
  chain: ObjectStore,
  { openStore, by, execution }: IncrementOptions,
): Promise<string> {
  const run = joinUri(chain.uri, by.replace(/[^A-Za-z0-9._-]+/g, '-'));
  return (await openStore(run).head(RUN_RECORD)) ? `${run}-${execution}` : run;
}

/**
 * Takes a planned run out of its chain again where it has nothing to do: nothing is new, changed or gone since the run
 * before. Returns whether it was taken out; the folder is gone then. Safe to repeat.
 */
export async function dropUnchanged(
  chain: ObjectStore,
  run: string,
  openStore: (uri: string) => ObjectStore,
): Promise<boolean> {
  const output = openStore(run);
  const read = await readHead(chain);
  if (read?.head.run === run) {
    const { since, by } = read.head;
    const index = await readPlanIndex(output);
    const isUnchanged = since !== null && index?.keys === 0 && index.since?.deleted.keys === 0;
    if (!isUnchanged || (await isFinished(output))) return false;
    if (!(await swapHead(chain, { run: since, since: null, by, begunBy: null }, read.etag)))
      return dropUnchanged(chain, run, openStore);
  } else if (await isFinished(output)) return false;
  const keys: string[] = [];
  for await (const { key } of chain.list({ prefix: `${run.slice(chain.uri.length + 1)}/` })) keys.push(key);
  await chain.delete(keys);
  return true;
}

async function writeRun(
  openStore: (uri: string) => ObjectStore,
  { spec, vocabularies }: IncrementRequest,
  { run, since }: Head,
): Promise<void> {
  const output = openStore(run);
  if (await readRunRecord(output)) return;
  const model = spec.model.startsWith('hub:') ? spec.model : await pinModel(spec.model, openStore);
  await claimRun(
    output,
    vocabularies.map(({ name, categories, graph }) => ({
      name,
      categories: categories as RunInputs['categories'],
      ...(graph && { graph }),
    })),
    {
      version: 1,
      kind: 'tag',
      id: runIdOf('tag', run),
      createdAt: new Date().toISOString(),
      spec: { ...spec, model, since, retry: null },
    },
  );
}

async function refuseOtherSource(since: ObjectStore, { spec }: IncrementRequest): Promise<void> {
  const before = await requireFinishedTagRun(since);
  const missing = sourcesBeside(spec.sources, before.spec.sources);
  if (missing.length === 0) return;
  throw new Failure(
    'Schedule.OtherSource',
    `${since.uri} is a run of ${missing.join(', ')} too, which is no source of the schedule.`,
    {
      subject: since.uri,
      hint: 'A chain keeps its sources, and new ones may join them: name them all, or give the schedule another --out.',
    },
  );
}

const isFinished = async (output: ObjectStore): Promise<boolean> =>
  (await output.head(SUCCESS)) !== undefined;

async function readRequest(chain: ObjectStore, hash: string): Promise<IncrementRequest> {
  return requestSchema.parse(await readJson(chain, requestKey(hash)));
}

async function readHead(chain: ObjectStore): Promise<{ head: Head; etag: string } | undefined> {
  const info = await chain.head(HEAD);
  if (!info) return undefined;
  const { body, info: read } = await chain.get(HEAD);
  return { head: headSchema.parse(JSON.parse(Buffer.from(body).toString())), etag: read.etag };
}

/** Whether the head is `head` now: it was what was read, or an answer that was lost had made it so. */
async function swapHead(chain: ObjectStore, head: Head, etag: string | undefined): Promise<boolean> {
  try {
    await chain.put(HEAD, JSON.stringify(head, null, 2), {
      contentType: 'application/json',
      ...(etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag }),
    });
    return true;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    return false;
  }
}
