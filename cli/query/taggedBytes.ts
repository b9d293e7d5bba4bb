import { isFailure } from '../../data/failure.ts';
import type { TagRow } from '../../data/parquet/tagRows.ts';
import { sourcePrefix } from '../../data/run/rowNames.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** What of a row says which bytes it is of. */
export type TaggedObject = Pick<TagRow, 'key' | 'source' | 'etag' | 'versionId'>;

/**
 * The image as it was tagged: as it is now or, where it has been replaced or removed since, by its version.
 *
 * @param store of the row's source
 * @throws Failure those of `ObjectStore`
 */
export async function taggedBytes(
  store: ObjectStore,
  { key, source, etag, versionId }: TaggedObject,
): Promise<Uint8Array> {
  const below = key.slice(sourcePrefix(source).length);
  const ifMatch = etag === null ? {} : { ifMatch: etag };
  try {
    return (await store.get(below, ifMatch)).body;
  } catch (error) {
    const isGone = isFailure(error, 'Store.Changed') || isFailure(error, 'Store.NotFound');
    if (!isGone || versionId === null) throw error;
    return (await store.get(below, { ...ifMatch, versionId })).body;
  }
}
