import { createHash } from 'node:crypto';
import pMap from 'p-map';
import { codeVersion } from '../codeVersion.ts';
import { Failure } from '../failure.ts';
import { joinUri } from '../store/open.ts';
import { copyBetween } from '../store/copyBetween.ts';
import { putJsonOnce, readJson } from '../store/json.ts';
import { openRanges } from '../store/ranges.ts';
import type { ObjectStore } from '../store/store.ts';
import { moveAlias, readAlias, type Alias } from './alias.ts';
import {
  knownLineage,
  readLineage,
  type Figures,
  type GateLineage,
  type GraphLineage,
  type Lineage,
} from './lineage.ts';
import {
  CALIBRATION,
  hashOfModel,
  indexedWeights,
  isModelFile,
  METRICS,
  MODEL_CONFIG,
  MODEL_FILES,
  WEIGHTS,
  WEIGHTS_INDEX,
} from './modelFiles.ts';
import { LINEAGE, versionFolder } from './modelPlaces.ts';

/** Files in flight at once: the weights outweigh all others. */
const CONCURRENCY = 4;

export interface PublishOptions {
  openStore(uri: string): ObjectStore;
  /** URI of the folder with the model, as a training leaves it. */
  model: string;
  /** URI of the folder whose `calibration.json` and `metrics.json` go in place of the model's; null: none. */
  evaluation: string | null;
  /** URI of the folder of all versions, as `<store>/models/<name>`. */
  models: string;
  alias: string;
  /** What the new model was compared with: the model that the alias must name, null for none; undefined: whatever it names. */
  expected: string | null | undefined;
  /** The run that publishes, or a command's name. */
  by: string;
  reason: string;
  /** What the model's own folder does not tell of where it came from. */
  lineage?: { graph?: GraphLineage; figures?: Figures; gate?: GateLineage };
  signal?: AbortSignal;
}

export interface Published {
  /** SHA-256 of the model as it is published: its version. */
  model: string;
  /** URI of the version's folder. */
  uri: string;
  alias: Alias;
  /** Whether the alias named something else before. */
  moved: boolean;
  /** Whether the version was not there yet. */
  copied: boolean;
}

/**
 * Publishes a model: copies it to the folder of its version, then has the alias name that. A version is whole once it has
 * its configuration, which is copied last, and never changes after that; so publishing again, after a crash or a lost
 * answer, does what is left. Nobody sees the new model before the alias is moved, by one conditional write.
 *
 * @throws Failure `Model.NotFound`, `Model.NoSafetensors` for a folder that is no whole model; `Store.Changed` where it
 *   changes meanwhile; `Model.AliasMoved` where another publisher was first: the version stays, and production is theirs
 */
export async function publishModel(options: PublishOptions): Promise<Published> {
  const { openStore, alias, expected, by, reason } = options;
  const models = openStore(options.models);
  const files = await filesOf(options);
  const { model, etags } = await hashFiles(files, options.signal);
  const uri = joinUri(models.uri, model);
  const version = openStore(uri);
  const publishedAt = new Date().toISOString();
  const copied = !(await version.head(MODEL_CONFIG));
  if (copied) {
    const copy = async (name: string): Promise<void> => {
      options.signal?.throwIfAborted();
      const store = files.get(name)!;
      await copyBetween({ store, key: name }, { store: models, key: versionFolder(model) + name }, openStore);
      const hashed = etags.get(name);
      if (hashed !== undefined && (await store.head(name))?.etag !== hashed) throw changed(store, name);
    };
    await pMap(
      [...files.keys()].filter((name) => name !== MODEL_CONFIG),
      copy,
      { concurrency: CONCURRENCY },
    );
    const before = await readAlias(models, alias);
    const parent = before ? joinUri(models.uri, before.model) : null;
    const lineage = await lineageOf(options, { model, publishedAt, parent });
    await putJsonOnce(version, LINEAGE, lineage, () => readLineage(version));
    await copy(MODEL_CONFIG);
  }
  const move = await moveAlias(models, alias, { model, publishedAt, by, reason }, expected);
  return { model, uri, copied, ...move };
}

/** Each file of the model to be, and the folder that it is taken from. */
async function filesOf({ openStore, model, evaluation }: PublishOptions): Promise<Map<string, ObjectStore>> {
  const folder = openStore(model);
  const files = new Map<string, ObjectStore>();
  for await (const { key } of folder.list()) if (isModelFile(key)) files.set(key, folder);
  if (!files.has(MODEL_CONFIG))
    throw new Failure(
      'Model.NotFound',
      `${folder.uri} has no ${MODEL_CONFIG}, so it is not a model folder.`,
      {
        subject: folder.uri,
        hint: 'A training makes its folder a model when it finishes: `c2srt status` says where it is.',
      },
    );
  if (evaluation !== null) {
    const measured = openStore(evaluation);
    for (const name of [CALIBRATION, METRICS]) if (await measured.head(name)) files.set(name, measured);
  }
  return files;
}

/** The hash of the model that these files are, and the etags of those that it is made of. */
async function hashFiles(
  files: ReadonlyMap<string, ObjectStore>,
  signal: AbortSignal | undefined,
): Promise<{ model: string; etags: Map<string, string> }> {
  const etags = new Map<string, string>();
  const names = [...MODEL_FILES.filter((name) => files.has(name)), ...(await weightsOf(files))];
  const model = await hashOfModel(names, async (name) => {
    const object = await openRanges(files.get(name)!, name, signal);
    etags.set(name, object.etag);
    const hash = createHash('sha256');
    for await (const chunk of object.chunks()) hash.update(chunk);
    return hash.digest('hex');
  });
  return { model, etags };
}

async function weightsOf(files: ReadonlyMap<string, ObjectStore>): Promise<string[]> {
  const store = files.get(MODEL_CONFIG)!;
  if (files.has(WEIGHTS)) return [WEIGHTS];
  const names = files.has(WEIGHTS_INDEX) ? indexedWeights(await readJson(store, WEIGHTS_INDEX)) : undefined;
  const missing = names ? names.find((name) => !files.has(name)) : WEIGHTS;
  if (names && missing === undefined) return names;
  throw new Failure('Model.NoSafetensors', `${store.uri} has no ${missing ?? WEIGHTS}.`, {
    subject: store.uri,
  });
}

async function lineageOf(
  { openStore, model: folder, by, lineage = {} }: PublishOptions,
  published: Pick<Lineage, 'model' | 'publishedAt' | 'parent'>,
): Promise<Lineage> {
  const known = await knownLineage(openStore(folder), openStore);
  const { graph = known?.graph ?? null, figures = known?.figures ?? {}, gate = null } = lineage;
  const training = known?.training ?? null;
  return { version: 1, ...published, by, code: await codeVersion(), training, graph, figures, gate };
}

function changed(store: ObjectStore, name: string): Failure {
  const subject = store.describeKey(name);
  return new Failure('Store.Changed', `${subject} changed while it was published.`, {
    subject,
    hint: 'Publish again once nothing writes to that folder.',
  });
}
