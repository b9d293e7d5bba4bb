import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../data/failure.ts';
import type { Counts } from '../data/run/counts.ts';
import { modelHashOf } from '../data/run/modelHash.ts';
import { countsOf } from '../data/run/receipt.ts';
import { sourceAccess, type TagSpec } from '../data/run/record.ts';
import { requireTagRun } from '../data/run/requireRun.ts';
import { rowNames } from '../data/run/rowNames.ts';
import type { ImageLimits } from '../data/images/limits.ts';
import type { PreprocessConfig } from '../data/images/preprocessConfig.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { parseCalibration } from '../model/calibration.ts';
import { openModelFolder, type ModelFolder } from '../model/modelFolder.ts';
import { decideTags, tagDecision } from '../model/tagDecision.ts';
import type { Vocabulary } from '../model/tagger.ts';
import type { TagActivities } from '../workflows/types.ts';
import type { OpenStore } from './openStore.ts';
import { withHeartbeat } from './activityScope.ts';
import { prepareVocabulary, readCategories, readVocabulary } from './prepare.ts';
import type { Decoder, Inference } from './tag/dependencies.ts';
import { planReader, type RunContext } from './tag/runContext.ts';
import { tagShard, type ShardProgress } from './tag/tagShard.ts';
import { Turn } from './tag/turn.ts';

export interface TagDependencies {
  openStore: OpenStore;
  /** Artifacts of this machine, shared by all runs. */
  cache: ObjectStore;
  inference: Inference;
  /** The decoder for a model's preprocessing and a run's limits. */
  decoder(preprocess: PreprocessConfig, limits: ImageLimits): Decoder;
  /** A model's folder on this machine, fetched where it has to be, and its hash. */
  resolveModel(uri: string): Promise<{ dir: string; hash: string }>;
  /** Images of a shard being fetched or decoded at once. */
  concurrency: number;
}

/** The activities of the `gpu` queue: what runs the model. */
export function createTagActivities(dependencies: TagDependencies): TagActivities {
  const { openStore, cache, inference, resolveModel } = dependencies;
  const runs = new Map<string, Promise<OpenRun>>();

  /** An opened run; only the latest is kept, as a worker seldom has shards of two runs. */
  const openedRun = (output: string, artifact: string): Promise<OpenRun> => {
    const key = `${output} ${artifact}`;
    let run = runs.get(key);
    if (!run) {
      runs.clear();
      run = openRun(openStore(output), artifact, dependencies);
      runs.set(key, run);
      run.catch(() => runs.delete(key));
    }
    return run;
  };

  return {
    prepareVocabulary: ({ output }) =>
      withHeartbeat(async () => {
        const folder = openStore(output);
        const record = await requireTagRun(folder);
        const { dir, hash } = await resolveModel(record.spec.model);
        if (record.spec.retry) await requireModelOf(openStore(record.spec.retry.parent), record.spec, hash);
        return prepareVocabulary(folder, cache, { record, model: openModelFolder(dir), hash, inference });
      }),

    tagShard: ({ output, shard, artifact }) =>
      withHeartbeat<ShardProgress, Counts>(async ({ signal, attempt, previous, report }) => {
        const { context, model, vocabulary } = await openedRun(output, artifact);
        const tagger = await inference.tagger(artifact, model, vocabulary, { embedding: context.embedding });
        try {
          const options = {
            attempt: randomUUID(),
            attemptNumber: attempt,
            closed: previous?.closed ?? [],
            tagger,
            signal,
            progress: report,
          };
          return countsOf(await tagShard(context, shard, options));
        } finally {
          await tagger.release();
        }
      }),
  };
}

/** A run and the model that it is tagged with. */
interface OpenRun {
  context: RunContext;
  model: ModelFolder;
  vocabulary: Vocabulary;
}

/** Reads everything of a run that its shards share. Throws `Model.Changed` where the model is not the prepared one. */
async function openRun(
  output: ObjectStore,
  artifact: string,
  dependencies: TagDependencies,
): Promise<OpenRun> {
  const record = await requireTagRun(output);
  const { spec } = record;
  const { dir, hash } = await dependencies.resolveModel(spec.model);
  const prepared = await readVocabulary(output, artifact);
  if (prepared.model !== hash) throw modelChanged(spec.model, output);
  const model = openModelFolder(dir);
  const categories = await readCategories(output);
  const calibrationFile = join(dir, 'calibration.json');
  const decision = tagDecision({
    categories,
    ...(existsSync(calibrationFile) && {
      calibration: parseCalibration(readFileSync(calibrationFile, 'utf8'), calibrationFile),
    }),
    ...(spec.topK !== null && { topK: spec.topK }),
    ...(spec.threshold !== null && { threshold: spec.threshold }),
  });
  const { maxBytes, maxPixels, decodeTimeoutMs: timeoutMs } = spec;
  const context: RunContext = {
    output,
    record,
    sources: spec.sources.map(({ uri }) => dependencies.openStore(uri, sourceAccess(spec))),
    decoder: dependencies.decoder(model.preprocess, { maxBytes, maxPixels, timeoutMs }),
    imageSide: model.preprocess.cropSize,
    decide: (scores) => decideTags(scores, decision),
    concurrency: dependencies.concurrency,
    turn: new Turn(),
    embedding: spec.embedding,
    metadata: { run: record.id, model: hash, vocabulary: spec.vocabulary },
    fingerprint: dependencies.inference.fingerprint,
    rowName: rowNames(spec.sources),
    planShard: planReader(output),
  };
  return { context, model, vocabulary: prepared.vocabulary };
}

/** A retry's rows go with its parent's, so they must be of the same model. Throws `Model.Changed`. */
async function requireModelOf(parent: ObjectStore, { model }: TagSpec, hash: string): Promise<void> {
  if ((await modelHashOf(parent)) !== hash) throw modelChanged(model, parent);
}

const modelChanged = (model: string, { uri }: ObjectStore): Failure =>
  new Failure('Model.Changed', `The model at ${model} is not the one that ${uri} was started with.`, {
    subject: model,
    hint: 'Put the first model back and resume, or tag with the new one into another --out.',
  });
