/** Where things lie in the folder of a retraining run (docs/retraining.md). */
import type { Stage } from './stages.ts';

/** Categories that a published model tags with, where they are not those of the training. */
export const TAG_CATEGORIES = '_inputs/tagCategories.json';

export const STAGE_RECEIPTS = '_stages/';
/** Written when a stage is done: what it came to, and where. */
export const stageReceiptKey = (stage: Stage): string => `${STAGE_RECEIPTS}${stage}.json`;

/** What a person has decided about a candidate, which is known by its evaluation. */
export const decisionKey = (evaluation: string): string => `_decisions/${evaluation.split('/').at(-1)!}.json`;

/** What the gate says of a candidate, which is known by its evaluation. */
export const verdictKey = (evaluation: string): string => `_gate/${evaluation.split('/').at(-1)!}.json`;
