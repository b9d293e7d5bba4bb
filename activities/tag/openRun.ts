import { Failure } from '../../data/failure.ts';
import type { ImageLimits } from '../../data/images/limits.ts';
import type { PreprocessConfig } from '../../data/images/preprocessConfig.ts';
import { vocabularyInputs } from '../../data/run/layout.ts';
import { sourceAccess } from '../../data/run/record.ts';
import { requireTagRun } from '../../data/run/requireRun.ts';
import { rowNames } from '../../data/run/rowNames.ts';
import { vocabularyHashes } from '../../data/run/vocabularies.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { readCalibration } from '../../model/calibration.ts';
import { openModelFolder, type ModelFolder } from '../../model/modelFolder.ts';
import { decideAllTags, tagDecision } from '../../model/tagDecision.ts';
import type { Vocabulary } from '../../model/tagger.ts';
import type { OpenStore } from '../openStore.ts';
import { readCategories, readVocabularies } from '../prepare.ts';
import type { Decoder, Inference } from './dependencies.ts';
import { planReader, type RunContext } from './runContext.ts';
import { Turn } from './turn.ts';

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

/** A run and the model that it is tagged with. */
export interface OpenRun {
  context: RunContext;
  model: ModelFolder;
  /** In the order of the record. */
  vocabularies: readonly Vocabulary[];
}

/** Reads everything of a run that its shards share. Throws `Model.Changed` where the model is not the prepared one. */
export async function openRun(
  output: ObjectStore,
  artifact: string,
  dependencies: TagDependencies,
): Promise<OpenRun> {
  const record = await requireTagRun(output);
  const { spec } = record;
  const { dir, hash } = await dependencies.resolveModel(spec.model);
  const prepared = await readVocabularies(output, artifact);
  if (prepared.model !== hash) throw modelChanged(spec.model, output);
  const model = openModelFolder(dir);
  const calibration = readCalibration(dir);
  const decisions = await Promise.all(
    spec.vocabularies.map(async ({ name, topK, threshold }) =>
      tagDecision({
        ...(name !== null && { vocabulary: name }),
        categories: await readCategories(output, vocabularyInputs(name).categories),
        ...(calibration && { calibration }),
        ...(topK !== null && { topK }),
        ...(threshold !== null && { threshold }),
      }),
    ),
  );
  const { maxBytes, maxPixels, decodeTimeoutMs: timeoutMs } = spec;
  const context: RunContext = {
    output,
    record,
    sources: spec.sources.map(({ uri }) => dependencies.openStore(uri, sourceAccess(spec))),
    decoder: dependencies.decoder(model.preprocess, { maxBytes, maxPixels, timeoutMs }),
    imageSide: model.preprocess.cropSize,
    decide: (scores) => decideAllTags(scores, decisions),
    concurrency: dependencies.concurrency,
    turn: new Turn(),
    embedding: spec.embedding,
    metadata: {
      run: record.id,
      model: hash,
      vocabulary: vocabularyHashes(spec.vocabularies),
      scores: calibration ? 'calibrated' : 'raw',
    },
    fingerprint: dependencies.inference.fingerprint,
    rowName: rowNames(spec.sources),
    planShard: planReader(output),
  };
  return { context, model, vocabularies: prepared.vocabularies };
}

/** That a run would go on with another model than it was started with. */
export const modelChanged = (model: string, { uri }: ObjectStore): Failure =>
  new Failure('Model.Changed', `The model at ${model} is not the one that ${uri} was started with.`, {
    subject: model,
    hint: 'Put the first model back and resume, or tag with the new one into another --out.',
  });
