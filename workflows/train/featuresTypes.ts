/** What passes between workflows and the activities that keep features of a snapshot's images. */

/** Features of one snapshot: a folder among a training's artifacts. */
export interface SnapshotFeatures {
  /** Names everything that determines them. */
  hash: string;
  snapshot: 'train' | 'validation';
  images: number;
  pieces: number;
  /** Images per piece; the last may have fewer. */
  pieceImages: number;
  sizeBytes: number;
  /** Whether all pieces are there, and their index. */
  extracted: boolean;
}

/** What decides whether features are kept, and which. */
export interface FeaturesSettings {
  trainedBlocks: number;
  cache: 'auto' | 'always' | 'none';
  cacheLimitGiB: number;
  validationLimit: number;
  /** Share of the images, in [0, 1], that may be unreadable. */
  maxFailureRate: number;
}

/** Features among the artifacts in the folder at this URI. */
export interface FeaturesPlace {
  artifacts: string;
  hash: string;
}

/** A piece of features by its number. */
export interface FeaturesPiece {
  hash: string;
  piece: number;
}

/** Activities that keep features and run the model. On the `gpu` queue. */
export interface FeaturesActivities {
  /**
   * Decides which features of the snapshots in `snapshots` a training from `model` keeps, and writes what extracting them
   * needs to know.
   */
  planFeatures(
    request: {
      artifacts: string;
      snapshots: string;
      model: string;
      /** The run that wants features to be extracted again, though they are there; null: none does. */
      again: string | null;
    } & FeaturesSettings,
  ): Promise<SnapshotFeatures[]>;
  extractFeatures(piece: FeaturesPlace & FeaturesPiece): Promise<{ images: number; failed: number }>;
}

/** Activities of features that need only the object stores. On the `orchestrate` queue. */
export interface FeaturesStoreActivities {
  /**
   * Writes the index of features, when all pieces are whole. Where too many images could not be read, it forgets the pieces
   * that have such instead, so that they are read again once the data set is mended.
   */
  indexFeatures(place: FeaturesPlace): Promise<void>;
}
