/** Names of what stages make: the hash of all that determines it, so that what is there is not made again. */
import { createHash } from 'node:crypto';
import { joinUri } from '../store/open.ts';
import { STAGES, type Stage } from './stages.ts';

/** Changes whenever the meaning of a stage's artifact does. */
const VERSIONS = { snapshot: 1, graph: 1, train: 1, evaluate: 1, candidate: 1 } as const;

/** Folder of a store that has the artifacts, and of the answers of language models among them. */
export const artifactsUri = (store: string): string => joinUri(store, 'artifacts');
export const answersUri = (store: string): string => joinUri(store, 'artifacts', 'llm');

/** Folder of the versions of a model. */
export const modelsUri = (store: string, name: string): string => joinUri(store, 'models', name);

/** URI of the folder of a stage's artifact. */
export function artifactUri(store: string, stage: keyof typeof VERSIONS, inputs: object): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([stage, VERSIONS[stage], inputs]))
    .digest('hex')
    .slice(0, 32);
  return joinUri(artifactsUri(store), `${stage === 'evaluate' ? 'evaluation' : stage}-${hash}`);
}

/**
 * What goes into a name so that a run that was asked to redo everything from a stage on finds nothing there: its own
 * id. Nothing for the stages before.
 */
export const freshly = (stage: Stage, from: Stage | null, run: string): { run?: string } =>
  from !== null && STAGES.indexOf(stage) >= STAGES.indexOf(from) ? { run } : {};
