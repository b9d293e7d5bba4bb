import type { PlanEntry } from './plan/plan.ts';
import type { TagSpec } from './record.ts';

/** What names an object in rows. */
export interface RowName {
  /** S3: the object's whole key in its bucket, so that rows of one bucket can be joined; a folder: the path below it. */
  key: string;
  /** Canonical URI of the source that it was found in. */
  source: string;
}

/** What a source's keys begin with in its bucket: empty, or up to a slash; always empty for a folder. */
export function sourcePrefix(uri: string): string {
  const prefix = /^s3:\/\/[^/]+\/(.+)$/.exec(uri)?.[1];
  return prefix === undefined ? '' : `${prefix}/`;
}

/** Names the rows of a run's planned objects. */
export function rowNames(sources: TagSpec['sources']): (entry: Pick<PlanEntry, 'source' | 'key'>) => RowName {
  const places = sources.map(({ uri }) => ({ uri, prefix: sourcePrefix(uri) }));
  return ({ source = 0, key }) => {
    const place = places[source]!;
    return { key: place.prefix + key, source: place.uri };
  };
}
