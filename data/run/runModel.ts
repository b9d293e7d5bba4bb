import { z } from 'zod';
import type { ScoreKind } from '../parquet/tagRows.ts';
import { readJson } from '../store/json.ts';
import type { ObjectStore } from '../store/store.ts';
import { MANIFEST, splitArtifacts, vocabularyKeys } from './layout.ts';

/** What a vocabulary's artifact says about the model that it was made with. */
const artifactModelSchema = z.object({
  model: z.string(),
  /** Artifacts of earlier releases lack it. */
  calibrated: z.boolean().optional(),
});

/** The model of a tag run. */
export interface RunModel {
  /** The model folder's hash. */
  hash: string;
  /** What its scores are; undefined for runs of earlier releases, which did not note it. */
  scores: ScoreKind | undefined;
}

/** The model that a run's vocabularies were prepared with. @param artifacts as `joinArtifacts` has them */
export async function modelOfArtifacts(output: ObjectStore, artifacts: string): Promise<RunModel> {
  const [first] = splitArtifacts(artifacts);
  const found = artifactModelSchema.parse(await readJson(output, vocabularyKeys(first!).json));
  const { model: hash, calibrated } = found;
  return { hash, scores: calibrated === undefined ? undefined : calibrated ? 'calibrated' : 'raw' };
}

/** The model that a finished tag run was made with. */
export async function modelOfRun(output: ObjectStore): Promise<RunModel> {
  const { artifact } = (await readJson(output, MANIFEST)) as { artifact: string };
  return modelOfArtifacts(output, artifact);
}
