import type { TypedSearchAttributes } from '@temporalio/common';
import { upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { attributesOf, KIND, PAUSED, STAGE } from './attributes.ts';

/** Where a run is, as it tells whoever lists runs or follows its history. */
export interface Whereabouts<Stage extends string = string> {
  stage: Stage;
  /** Why it waits; null where it does not. */
  paused: string | null;
}

/** Changes of where a run is, each announced; the first announcement is made here and now. */
export function announcing<Stage extends string>(
  where: Whereabouts<Stage>,
): { enter(stage: Stage): void; wait(reason: string | null): void } {
  announce(where);
  return {
    enter(stage) {
      where.stage = stage;
      announce(where);
    },
    wait(reason) {
      if (where.paused === reason) return;
      where.paused = reason;
      announce(where);
    },
  };
}

/**
 * Says where the run is: in its memo, which every server lists, and in search attributes where the run was started with
 * some: an attribute that the server does not know would stop the run.
 */
function announce({ stage, paused }: Whereabouts): void {
  upsertMemo({ stage, paused });
  if (isSearchable())
    upsertSearchAttributes([
      { key: STAGE, value: stage },
      { key: PAUSED, value: paused !== null },
    ]);
}

const isSearchable = (): boolean => workflowInfo().typedSearchAttributes.get(KIND) !== undefined;

/** Options of a child that is a run: what it is listed by, with search attributes where its parent has them. */
export const listedAs = (
  kind: string,
  output: string,
): { memo: { output: string }; typedSearchAttributes?: TypedSearchAttributes } => ({
  memo: { output },
  ...(isSearchable() && { typedSearchAttributes: attributesOf(kind, output) }),
});
