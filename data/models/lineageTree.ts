import { Failure } from '../failure.ts';
import type { ObjectStore } from '../store/store.ts';
import { knownLineage, type KnownLineage } from './lineage.ts';
import { MODEL_CONFIG } from './modelFiles.ts';

/** A model, what it was trained from, and what it took the place of. */
export interface LineageNode {
  /** URI of the model: a published version, a training's folder, or what training started from. */
  uri: string;
  /** What is known of it; null for what was neither published nor trained here. */
  lineage: KnownLineage | null;
  /** The model that training started from; null where it was not trained here. */
  base: LineageNode | null;
  /** The model that was in use before; null for the first, and for what is not published. */
  parent: LineageNode | null;
  /** Whether there may be more behind it, which was told already or lies deeper than was asked for. */
  cut: boolean;
}

/**
 * Where a model came from, as far back as folders tell: a model that is named twice is followed once.
 *
 * @param uri canonical, of a model folder, or `hub:`
 * @param depth models one behind the other that are followed
 * @throws Failure `Model.NotFound` where `uri` is neither a model nor a training
 */
export async function followLineage(
  uri: string,
  openStore: (uri: string) => ObjectStore,
  depth: number,
): Promise<LineageNode> {
  const seen = new Set<string>();
  const follow = async (at: string, left: number): Promise<LineageNode> => {
    const lineage = at.startsWith('hub:') ? null : await knownLineage(openStore(at), openStore);
    const node = { uri: at, lineage, base: null, parent: null, cut: false };
    if (lineage === null) return node;
    if (left === 0 || seen.has(at)) return { ...node, lineage: null, cut: true };
    seen.add(at);
    const { training } = lineage;
    const parent = lineage.published?.parent ?? null;
    return {
      ...node,
      // The chain of models in use before the tree of what each was trained from.
      parent: parent === null ? null : await follow(parent, left - 1),
      base: training === null ? null : await follow(training.base, left - 1),
    };
  };
  const tree = await follow(uri, depth);
  if (tree.lineage === null && !uri.startsWith('hub:') && !(await openStore(uri).head(MODEL_CONFIG)))
    throw new Failure('Model.NotFound', `${uri} is neither a model folder nor that of a training.`, {
      subject: uri,
      hint: 'Give a model folder, a folder of published models, or the folder of a training.',
    });
  return tree;
}
