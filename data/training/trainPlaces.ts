import type { ObjectStore } from '../store/store.ts';
import { ARTIFACTS } from './trainLayout.ts';
import type { TrainSpec } from './trainSpec.ts';

/** Where a training reads what it may share with others: its own folder, or what its specification names. */
export interface TrainPlaces {
  /** Has `_snapshot/`. */
  snapshots: ObjectStore;
  /** Has features, by their hashes. */
  artifacts: ObjectStore;
}

export function trainPlaces(
  output: ObjectStore,
  { snapshot, artifacts }: Pick<TrainSpec, 'snapshot' | 'artifacts'>,
  openStore: (uri: string) => ObjectStore,
): TrainPlaces {
  return {
    snapshots: snapshot === null ? output : openStore(snapshot),
    artifacts: openStore(artifacts ?? `${output.uri}/${ARTIFACTS}`),
  };
}
