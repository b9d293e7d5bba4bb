/** What runs can be found by on a Temporal server that has these search attributes. A pure leaf. */
export const SEARCH_ATTRIBUTES = {
  kind: 'C2srtKind',
  /** URI of the run's folder. */
  output: 'C2srtOutput',
  stage: 'C2srtStage',
  paused: 'C2srtPaused',
} as const;

/** Their types, in Temporal's words. */
export const SEARCH_ATTRIBUTE_TYPES = {
  C2srtKind: 'Keyword',
  C2srtOutput: 'Keyword',
  C2srtStage: 'Keyword',
  C2srtPaused: 'Bool',
} as const satisfies Record<(typeof SEARCH_ATTRIBUTES)[keyof typeof SEARCH_ATTRIBUTES], string>;

/** Columns of servers on MySQL and PostgreSQL hold no more, in characters. */
const LONGEST = 255;

export const searchable = (value: string): string => value.slice(0, LONGEST);
