import { createHash } from 'node:crypto';
import { z } from 'zod';
import { evaluateSpecSchema } from '../evaluation/evaluateSpec.ts';
import { graphSettingsSchema } from '../config/graphSchema.ts';
import { Failure, isFailure } from '../failure.ts';
import { graphSpecSchema } from '../graph/graphSpec.ts';
import type { ObjectStore } from '../store/store.ts';
import { retrainSpecSchema } from '../retrain/retrainSpec.ts';
import { RUN_RECORD } from './layout.ts';
import { pretrainSpecSchema, trainSpecSchema } from '../training/trainSpec.ts';
import { runVocabulariesSchema } from './vocabularies.ts';

/** A file that lists objects, and its etag when the run was started. */
const listSchema = z.object({ uri: z.string(), etag: z.string() });

/** Everything that determines a tag run's rows, apart from the images' own bytes. */
export const tagSpecSchema = z.object({
  /** Where the images are, in UTF-8 order of the URIs; none lies within another. */
  sources: z
    .array(
      z.object({
        /** Canonical URI of a bucket's prefix or of a folder. */
        uri: z.string(),
        /** S3 Inventory manifest that is read instead of listing; null: none. */
        inventory: listSchema.nullable(),
      }),
    )
    .min(1),
  /** Key lists: where there are any, the sources are not listed. `copy` is a local list's key in the run's folder. */
  keys: z.array(listSchema.extend({ copy: z.string().nullable() })),
  /** Whether the sources are read without a signature. */
  unsigned: z.boolean(),
  requesterPays: z.boolean(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  /** Folder of the run that this one is incremental to; null: a full run. */
  since: z.string().nullable(),
  /** The finished run whose failed rows this one tries again, and which of their codes (null: all); null: no retry. */
  retry: z
    .object({ parent: z.string(), codes: z.array(z.string()).nullable() })
    .nullable()
    // Records of releases that had no retries lack the field.
    .default(null),
  vocabularies: runVocabulariesSchema,
  /** How a language model links the categories that the model's own graph lacks; without it, WordNet does. */
  link: z
    .object({
      settings: graphSettingsSchema,
      /** URI of the folder of answers that runs share; null: those of this run are its own. */
      cache: z.string().nullable(),
    })
    .optional(),
  /** URI of the model folder. */
  model: z.string(),
  embedding: z.boolean(),
  /** Keys per shard. */
  shardSize: z.int().positive(),
  /** Images over these are failure rows, so the limits are part of what a run means. */
  maxBytes: z.int().positive(),
  maxPixels: z.int().positive(),
  decodeTimeoutMs: z.int().positive(),
});

export type TagSpec = z.infer<typeof tagSpecSchema>;

/** A specification as it is written today: earlier releases knew one vocabulary, and the first ones one source. */
export function currentTagSpec(spec: object): object {
  const { source, vocabulary, graph, topK, threshold, ...rest } = spec as Record<string, unknown>;
  return {
    ...(source !== undefined && oneSource(source as string)),
    ...(vocabulary !== undefined && {
      vocabularies: [{ name: null, categories: vocabulary, graph, topK, threshold }],
    }),
    ...rest,
  };
}

const identity = { version: z.literal(1), id: z.string(), createdAt: z.iso.datetime() };

/** What a run of one prefix or folder reads that is simply listed. */
export const oneSource = (uri: string): Pick<TagSpec, 'sources' | 'keys' | 'unsigned' | 'requesterPays'> => ({
  sources: [{ uri, inventory: null }],
  keys: [],
  unsigned: false,
  requesterPays: false,
});

/** How a run's sources are read. */
export type SourceAccess = Pick<TagSpec, 'unsigned' | 'requesterPays'>;

export const sourceAccess = ({ unsigned, requesterPays }: SourceAccess): SourceAccess => ({
  unsigned,
  requesterPays,
});

const tagRecordSchema = z.object({
  ...identity,
  kind: z.literal('tag'),
  spec: tagSpecSchema,
  /** Set for runs of earlier releases, whose parts may be of an earlier schema: of the first ones rows lack the source. */
  ofEarlierRelease: z.literal(true).optional(),
});
const trainRecordSchema = z.discriminatedUnion('kind', [
  z.object({ ...identity, kind: z.literal('train'), spec: trainSpecSchema }),
  z.object({ ...identity, kind: z.literal('pretrain'), spec: pretrainSpecSchema }),
]);
const graphRecordSchema = z.object({ ...identity, kind: z.literal('graph'), spec: graphSpecSchema });
const evaluateRecordSchema = z.object({
  ...identity,
  kind: z.literal('evaluate'),
  spec: evaluateSpecSchema,
});
const retrainRecordSchema = z.object({ ...identity, kind: z.literal('retrain'), spec: retrainSpecSchema });

/** A record as it is written today. */
function current(record: unknown): unknown {
  if (!isObject(record)) return record;
  // The first release knew tag runs only, and wrote no kind.
  const of = { kind: 'tag', ...record };
  if (of.kind !== 'tag' || !('spec' in of) || !isObject(of.spec) || 'vocabularies' in of.spec) return of;
  return { ...of, spec: currentTagSpec(of.spec), ofEarlierRelease: true };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const recordSchema = z.preprocess(
  current,
  z.discriminatedUnion('kind', [
    tagRecordSchema,
    trainRecordSchema,
    graphRecordSchema,
    evaluateRecordSchema,
    retrainRecordSchema,
  ]),
);

/** A run's identity, written once, first of all, into its folder. */
export type RunRecord = z.infer<typeof recordSchema>;
export type TagRecord = z.infer<typeof tagRecordSchema>;
/** Of a training or of a pre-training, which are the same workflow. */
export type TrainRecord = z.infer<typeof trainRecordSchema>;
export type GraphRecord = z.infer<typeof graphRecordSchema>;
export type EvaluateRecord = z.infer<typeof evaluateRecordSchema>;

export type RetrainRecord = z.infer<typeof retrainRecordSchema>;

export const RUN_KINDS = ['tag', 'train', 'pretrain', 'graph', 'evaluate', 'retrain'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/** The id of the run of a kind whose folder is `outputUri` (canonical): the same folder has the same id everywhere. */
export function runIdOf(kind: RunKind, outputUri: string): string {
  const name = outputUri.split('/').at(-1) ?? '';
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  const hash = createHash('sha256').update(outputUri).digest('hex').slice(0, 10);
  return [kind, slug, hash].filter((part) => part !== '').join('-');
}

/** The kind of run that an id is of; undefined for what is no run's id. */
export const kindOfRunId = (id: string): RunKind | undefined =>
  RUN_KINDS.find((kind) => id.startsWith(`${kind}-`));

/** The record in a run's folder; undefined where the folder has none. Throws `Run.Invalid` where it cannot be read. */
export async function readRunRecord(output: ObjectStore): Promise<RunRecord | undefined> {
  let body: Uint8Array;
  try {
    ({ body } = await output.get(RUN_RECORD));
  } catch (error) {
    if (isFailure(error, 'Store.NotFound')) return undefined;
    throw error;
  }
  const parsed = z.safeParse(
    z
      .string()
      .transform((text): unknown => JSON.parse(text))
      .pipe(recordSchema),
    Buffer.from(body).toString(),
  );
  if (parsed.success) return parsed.data;
  throw new Failure(
    'Run.Invalid',
    `${output.describeKey(RUN_RECORD)} is not a run record: ${z.prettifyError(parsed.error)}`,
    {
      subject: output.describeKey(RUN_RECORD),
      hint: 'Choose another --out: this folder belongs to something else.',
    },
  );
}

/**
 * Makes `record` the identity of the folder, or, where it has one already, returns that: two commands that start at
 * once agree on one.
 */
export async function claimRunFolder(output: ObjectStore, record: RunRecord): Promise<RunRecord> {
  try {
    await output.put(RUN_RECORD, JSON.stringify(record, null, 2), {
      ifNoneMatch: '*',
      contentType: 'application/json',
    });
    return record;
  } catch (error) {
    if (!isFailure(error, 'Store.PreconditionFailed')) throw error;
    return (await readRunRecord(output)) ?? record;
  }
}
