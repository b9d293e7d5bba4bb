import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirePrepared } from '../activities/evaluate/prepare/prepared.ts';
import { readVocabularies } from '../activities/prepare.ts';
import { modelChanged } from '../activities/tag/openRun.ts';
import { CALIBRATION } from '../data/evaluation/evaluateLayout.ts';
import type { System } from '../data/evaluation/systems.ts';
import { Failure } from '../data/failure.ts';
import { requireFinishedTagRun } from '../data/run/requireRun.ts';
import { readRunManifest } from '../data/run/runManifest.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { cacheDir } from '../infra/programs.ts';
import { parseCalibration, type Calibration } from '../model/calibration.ts';
import { openModelFolder, type ModelFolder } from '../model/modelFolder.ts';
import { modelHash, resolveModel } from '../model/resolve.ts';
import type { Vocabulary } from '../model/tagger.ts';

/** A vocabulary that a run scored with. */
export interface ExplainedVocabulary {
  /** Null where it has none. */
  name: string | null;
  vocabulary: Vocabulary;
  /** Names of the vocabulary's nodes, the asked categories first. */
  nodes: readonly string[];
}

/** A model with the vocabularies that a run scored with, so that its scores can be computed, and explained, again. */
export interface ExplainedModel {
  folder: ModelFolder;
  /** In the order of a tag run's record; of an evaluation the only one. */
  vocabularies: readonly [ExplainedVocabulary, ...ExplainedVocabulary[]];
  /** What makes written scores of raw ones; undefined where raw ones are written. */
  calibration: Calibration | undefined;
}

/** The model of a finished tag run. Throws `Model.Changed` where it is not the one that the run was tagged with. */
export async function modelOfTagRun(output: ObjectStore): Promise<ExplainedModel> {
  const { spec } = await requireFinishedTagRun(output);
  const { artifact } = await readRunManifest(output);
  const names = spec.vocabularies.map(({ name }) => name);
  const opened = await openModel(output, spec.model, artifact, names);
  const file = join(opened.folder.dir, CALIBRATION);
  const calibration = existsSync(file) ? parseCalibration(readFileSync(file, 'utf8'), file) : undefined;
  return { ...opened, calibration };
}

/** The model of a system of an evaluation, with the calibration that the evaluation fitted for its candidate. */
export async function modelOfEvaluation(output: ObjectStore, system: System): Promise<ExplainedModel> {
  const scorer = (await requirePrepared(output)).scorers.find(({ systems }) => systems.includes(system));
  if (!scorer)
    throw new Failure('Run.Incomplete', `${output.uri} has no system ${system}.`, { subject: output.uri });
  const opened = await openModel(output, scorer.model, scorer.vocabulary, [null]);
  const isFitted = system === 'candidate' && (await output.head(CALIBRATION)) !== undefined;
  const calibration = isFitted
    ? parseCalibration(
        Buffer.from((await output.get(CALIBRATION)).body).toString(),
        output.describeKey(CALIBRATION),
      )
    : undefined;
  return { ...opened, calibration };
}

/** @param artifacts of the vocabularies with these names, as `joinArtifacts` has them */
async function openModel(
  output: ObjectStore,
  uri: string,
  artifacts: string,
  names: readonly (string | null)[],
): Promise<Omit<ExplainedModel, 'calibration'>> {
  const dir = await resolveModel(uri, { cacheDir: cacheDir() });
  const { model, vocabularies } = await readVocabularies(output, artifacts);
  if ((await modelHash(dir)) !== model) throw modelChanged(uri, output);
  const [first, ...others] = vocabularies.map((read, i) => ({ name: names[i] ?? null, ...read }));
  return { folder: openModelFolder(dir), vocabularies: [first!, ...others] };
}
