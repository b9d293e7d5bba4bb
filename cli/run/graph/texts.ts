import type { Tokens } from '../../../data/graph/tokens.ts';

/** Tokens, and what they cost where prices are known. */
export const spentText = ({ spent, costUsd }: { spent: Tokens; costUsd: number }): string =>
  `${spent.input + spent.output} tokens${costUsd > 0 ? ` ($${costUsd.toFixed(4)})` : ''}`;
