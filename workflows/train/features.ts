import { runPieces } from '../lanes.ts';
import type {
  FeaturesActivities,
  FeaturesPiece,
  FeaturesStoreActivities,
  SnapshotFeatures,
} from './featuresTypes.ts';

export interface ExtractionOptions {
  /** URI of the folder of artifacts. */
  artifacts: string;
  features: readonly SnapshotFeatures[];
  device: Pick<FeaturesActivities, 'extractFeatures'>;
  store: FeaturesStoreActivities;
  /** Pieces in work at once, which may change. */
  concurrency(): number;
  /** The first piece that may not be there, as an execution before this one left it. */
  from: FeaturesPiece | undefined;
  /** Whether to hand out no more pieces. */
  handOver(): boolean;
  /** Told how many pieces there are to extract, how many are there, and how many are at work. */
  report(pieces: number, done: number, atWork: number): void;
}

/**
 * Extracts what of the features is not there, piece by piece, and writes their indices. Returns the first piece that is
 * left where it was to hand over before the end.
 */
export async function extractAll(options: ExtractionOptions): Promise<FeaturesPiece | undefined> {
  const { artifacts, device, store, concurrency, from, handOver, report } = options;
  const missing = options.features.filter(({ extracted }) => !extracted);
  const pieces = missing.flatMap(({ hash, pieces: count }) =>
    Array.from({ length: count }, (_, piece): FeaturesPiece => ({ hash, piece })),
  );
  // Features that another run has completed meanwhile are no longer among these.
  let next = Math.max(
    0,
    pieces.findIndex(({ hash, piece }) => hash === from?.hash && piece === from.piece),
  );
  let done = next;
  let atWork = 0;
  const tell = (): void => report(pieces.length, done, atWork);
  tell();
  await runPieces({
    isLeft: () => next < pieces.length && !handOver(),
    isOpen: () => atWork < concurrency(),
    async work() {
      atWork++;
      tell();
      try {
        await device.extractFeatures({ artifacts, ...pieces[next++]! });
        done++;
      } finally {
        atWork--;
        tell();
      }
    },
  });
  if (done < pieces.length) return pieces[next];
  for (const { hash } of missing) await store.indexFeatures({ artifacts, hash });
  return undefined;
}
