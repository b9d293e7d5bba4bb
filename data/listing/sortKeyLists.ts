import { placeOf } from '../records.ts';
import { readKeyList, type KeyList, type KeyListOptions } from './keyList.ts';
import { sortEntries, type Listed, type ListedEntry } from './sortEntries.ts';

/**
 * The objects of key lists in the order of a run, each once. Memory is constant.
 *
 * @throws Failure `KeyList.Invalid`, `KeyList.Conflict`, `Usage.OverlappingSources`; all name file and line
 */
export function sortKeyLists(
  lists: readonly KeyList[],
  find: KeyListOptions['find'],
  signal?: AbortSignal,
): AsyncGenerator<Listed, void, undefined> {
  async function* entries(): AsyncGenerator<ListedEntry> {
    for (const [file, list] of lists.entries())
      for await (const entry of readKeyList(list, { file, find })) {
        signal?.throwIfAborted();
        yield entry;
      }
  }
  const describe = ({ file, at }: ListedEntry) => `${lists[file]!.uri}, ${placeOf(lists[file]!.format, at)}`;
  return sortEntries(entries(), { describe, strict: true });
}
