import type { ObjectStore } from '../store/store.ts';
import { MANIFEST, vocabularyKeys } from './layout.ts';
import { readJson } from '../store/json.ts';

/** The hash of the model folder that a finished tag run was made with. */
export async function modelHashOf(output: ObjectStore): Promise<string> {
  const { artifact } = (await readJson(output, MANIFEST)) as { artifact: string };
  const { model } = (await readJson(output, vocabularyKeys(artifact).json)) as { model: string };
  return model;
}
