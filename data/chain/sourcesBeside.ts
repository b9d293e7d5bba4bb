import type { TagSpec } from '../run/record.ts';

/** URIs of the `sources` of a run that are not among those `known`, however each is listed. */
export const sourcesBeside = (known: TagSpec['sources'], sources: TagSpec['sources']): string[] =>
  sources.map(({ uri }) => uri).filter((uri) => !known.some((one) => one.uri === uri));
