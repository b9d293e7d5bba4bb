import type { ObjectStore } from './store.ts';

/**
 * Copies an object between two stores; on the server's side where both are in one bucket or on one file system.
 *
 * @param openStore opens the folder that both have in common
 */
export async function copyBetween(
  { store: from, key: fromKey }: { store: ObjectStore; key: string },
  { store: to, key: toKey }: { store: ObjectStore; key: string },
  openStore: (uri: string) => ObjectStore,
): Promise<void> {
  const common = commonFolder(from.uri, to.uri);
  if (common === undefined) {
    await to.put(toKey, (await from.get(fromKey)).body);
    return;
  }
  const keyOf = (uri: string, key: string): string => {
    const below = uri.slice(common.length + 1);
    const folder = uri.startsWith('file://') ? decodeURIComponent(below) : below;
    return folder === '' ? key : `${folder}/${key}`;
  };
  await openStore(common).copy(keyOf(from.uri, fromKey), keyOf(to.uri, toKey));
}

/** `s3:`, nothing and the bucket; of a file system `file:`, nothing and the root. */
const SERVER_SEGMENTS = 3;

/** The URI of the deepest folder that two stores lie in; undefined where no one server has both. */
function commonFolder(a: string, b: string): string | undefined {
  const [these, those] = [a.split('/'), b.split('/')];
  let same = 0;
  while (same < these.length && these[same] === those[same]) same++;
  return same < SERVER_SEGMENTS ? undefined : these.slice(0, same).join('/');
}
