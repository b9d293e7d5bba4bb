import { z } from 'zod';
import { readSnapshotIndex } from '../dataset/snapshot.ts';
import { MANIFEST } from '../run/layout.ts';
import { readRunRecord, type TrainRecord } from '../run/record.ts';
import { readJsonIfThere } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { snapshotFolder } from '../training/trainLayout.ts';
import { trainPlaces } from '../training/trainPlaces.ts';
import { LINEAGE } from './modelPlaces.ts';

/** Figures of a model by name, as `unseen F1@3`, in the units of the metrics that they are from. */
export const figuresSchema = z.record(z.string(), z.number());
export type Figures = z.infer<typeof figuresSchema>;

const trainingSchema = z.object({
  /** URI of the training's folder, and its run's id. */
  folder: z.string(),
  run: z.string(),
  startedAt: z.iso.datetime(),
  /** URI of the model that training started from. */
  base: z.string(),
  /** The manifests, and what they were frozen as; null where that is not there any more. */
  data: z.string(),
  validation: z.string().nullable(),
  snapshot: z.object({ hash: z.string(), images: z.int(), validationImages: z.int() }).nullable(),
  settings: z.record(z.string(), z.unknown()),
  /** On the images held back; none until the training has finished. */
  figures: figuresSchema,
});

const graphSchema = z.object({
  hash: z.string(),
  /** What made it, as `wordnet` or the name of a language model; null where that is not known. */
  provider: z.string().nullable(),
  /** Tokens of language models, and what they cost in US dollars; null where none was asked. */
  tokens: z.int().nullable(),
  costUsd: z.number().nullable(),
});

/** What the gate wrote, of which a sentence per rule is for people. */
export const gateSchema = z.looseObject({
  passed: z.boolean(),
  rules: z.array(z.looseObject({ passed: z.boolean(), why: z.string() })),
});
export type GateLineage = z.infer<typeof gateSchema>;

const lineageSchema = z.object({
  version: z.literal(1),
  /** SHA-256 of the model. */
  model: z.string(),
  publishedAt: z.iso.datetime(),
  /** The run that published it, or a command. */
  by: z.string(),
  code: z.object({ version: z.string(), commit: z.string().nullable() }),
  /** Null for a model that was not trained here. */
  training: trainingSchema.nullable(),
  graph: graphSchema.nullable(),
  /** Of the evaluation; of the training where there was none. */
  figures: figuresSchema,
  /** Result of the gate that let it pass, as the gate writes it; null where there was none. */
  gate: gateSchema.nullable(),
  /** URI of the model in use when this one was published; null for the first. */
  parent: z.string().nullable(),
});

/** Where a published model came from. It says nothing of its scores, so it is no part of the model's hash. */
export type Lineage = z.infer<typeof lineageSchema>;
export type TrainingLineage = z.infer<typeof trainingSchema>;
export type GraphLineage = z.infer<typeof graphSchema>;

/** The lineage in a published model's folder; undefined where there is none. */
export async function readLineage(folder: ObjectStore): Promise<Lineage | undefined> {
  return lineageSchema.optional().parse(await readJsonIfThere(folder, LINEAGE));
}

/** Where a model came from, published or not. */
export interface KnownLineage extends Pick<Lineage, 'training' | 'graph' | 'figures'> {
  /** When, by whom and as what it was published; null for a training that is not. */
  published: Omit<Lineage, 'training' | 'graph' | 'figures'> | null;
}

/** What is known of where a model came from: published with it, or told by its training's folder; null where nothing is. */
export async function knownLineage(
  folder: ObjectStore,
  openStore: (uri: string) => ObjectStore,
): Promise<KnownLineage | null> {
  const lineage = await readLineage(folder);
  if (lineage) {
    const { training, graph, figures, ...published } = lineage;
    return { training, graph, figures, published };
  }
  const trained = await trainingLineage(folder, openStore);
  return trained ? { ...trained, figures: trained.training.figures, published: null } : null;
}

/** Where the model of a training's folder comes from; undefined for a folder that is no training's. */
async function trainingLineage(
  folder: ObjectStore,
  openStore: (uri: string) => ObjectStore,
): Promise<{ training: TrainingLineage; graph: GraphLineage | null } | undefined> {
  const record = await readRunRecord(folder);
  if (record?.kind !== 'train' && record?.kind !== 'pretrain') return undefined;
  const { id, createdAt, spec } = record;
  const training = {
    folder: folder.uri,
    run: id,
    startedAt: createdAt,
    base: spec.model,
    data: spec.data,
    validation: spec.validation,
    snapshot: await snapshotOf(folder, record, openStore),
    settings: spec.settings,
    figures: await figuresOf(folder),
  };
  const hash = record.kind === 'train' ? record.spec.graph : null;
  return { training, graph: hash === null ? null : { hash, provider: null, tokens: null, costUsd: null } };
}

async function snapshotOf(
  folder: ObjectStore,
  { spec }: TrainRecord,
  openStore: (uri: string) => ObjectStore,
): Promise<TrainingLineage['snapshot']> {
  const { snapshots } = trainPlaces(folder, spec, openStore);
  const [train, validation] = await Promise.all([
    readSnapshotIndex(snapshots, snapshotFolder('train')),
    readSnapshotIndex(snapshots, snapshotFolder('validation')),
  ]);
  return train ? { hash: train.hash, images: train.images, validationImages: validation?.images ?? 0 } : null;
}

const manifestSchema = z.object({
  result: z.object({
    best: z.object({ metrics: z.record(z.string(), figuresSchema) }).nullable(),
  }),
});

async function figuresOf(folder: ObjectStore): Promise<Figures> {
  const manifest = manifestSchema.optional().parse(await readJsonIfThere(folder, MANIFEST));
  const groups = Object.entries(manifest?.result.best?.metrics ?? {});
  return Object.fromEntries(
    groups.flatMap(([group, figures]) =>
      Object.entries(figures).map(([name, value]) => [`${group} ${name}`, value] as const),
    ),
  );
}
