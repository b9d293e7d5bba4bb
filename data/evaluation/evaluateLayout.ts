/** Where things lie in the folder of an evaluation (docs/evaluation.md). */
import { shardName } from '../run/layout.ts';
import type { EvaluationSnapshot } from './systems.ts';

export const METRICS = 'metrics.json';
export const PER_CATEGORY = 'per_category.json';
export const CALIBRATION = 'calibration.json';
export const REPORT = 'report.md';

/** How the work is cut up, and the models that it is of. */
export const PREPARED = '_prepared.json';

export const evaluationSnapshotFolder = (snapshot: EvaluationSnapshot): string => `_snapshot/${snapshot}/`;

/** Scores are in the folder until the figures are. */
export const SCORES = '_scores/';

/** Scores of a shard's images, as an attempt wrote them. */
export const scoresKey = (snapshot: EvaluationSnapshot, shard: number, attempt: string): string =>
  `${SCORES}${snapshot}/${shardName(shard)}.${attempt}.safetensors`;

/** Names the attempt whose scores count. */
export const scoreReceiptKey = (snapshot: EvaluationSnapshot, shard: number): string =>
  `${SCORES}${snapshot}/${shardName(shard)}.json`;

/** What came of fitting the calibration. */
export const FITTED = '_fitted.json';

/** Figures of a range of categories; the JSON is written last. */
export const measuresKey = (stripe: number): string => `_measures/${shardName(stripe)}.json`;
export const influencesKey = (stripe: number): string => `_measures/${shardName(stripe)}.safetensors`;
