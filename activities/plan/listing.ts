import { splitObjectUri } from '../../data/dataset/objectUri.ts';
import { Failure } from '../../data/failure.ts';
import { inventoryFile, readInventory, readInventoryEntries } from '../../data/listing/inventory.ts';
import { openKeyList, type KeyList } from '../../data/listing/keyList.ts';
import { objectFinder } from '../../data/listing/objectFinder.ts';
import { sortEntries, type Listed, type ListedEntry } from '../../data/listing/sortEntries.ts';
import { sortKeyLists } from '../../data/listing/sortKeyLists.ts';
import { placeOf } from '../../data/records.ts';
import { compareEntries, type Position } from '../../data/run/plan/entryOrder.ts';
import type { TagSpec } from '../../data/run/record.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { sourcePrefix } from '../../data/run/rowNames.ts';

/** All objects of a run's sources. */
export interface Listing {
  /** In the order of source and key; only those after `after`. */
  entries(after: Position | undefined, signal?: AbortSignal): AsyncIterable<Listed>;
}

export interface ListingStores {
  /** Opens a store with this machine's credentials. */
  openStore: (uri: string) => ObjectStore;
  /** Opens a source as the run reads it. */
  openSource: (uri: string) => Pick<ObjectStore, 'list'>;
  /** The run's folder, which holds copies of local lists. */
  output: ObjectStore;
}

/** What a run's specification says is to be planned: listings, inventories or key lists. */
export function runListing(spec: Pick<TagSpec, 'sources' | 'keys'>, stores: ListingStores): Listing {
  if (spec.keys.length > 0) return keyListing(spec, stores);
  const listings = spec.sources.map(({ uri, inventory }, source) =>
    inventory
      ? inventoryListing({ ...inventory, source, prefix: sourcePrefix(uri) }, stores)
      : storeListing(stores.openSource(uri), source),
  );
  return {
    async *entries(after, signal) {
      for (const [source, listing] of listings.entries())
        if (after === undefined || source >= after.source)
          yield* listing.entries(after?.source === source ? after : undefined, signal);
    },
  };
}

/** The objects of a store, as it lists them. */
export function storeListing(store: Pick<ObjectStore, 'list'>, source = 0): Listing {
  return {
    async *entries(after, signal) {
      const objects = store.list({ ...(after && { startAfter: after.key }), ...(signal && { signal }) });
      for await (const { key, etag, sizeBytes, lastModifiedMs, archived } of objects) {
        yield {
          entry: {
            ...(source !== 0 && { source }),
            key,
            etag,
            sizeBytes,
            lastModifiedMs,
            ...(archived && { archived }),
          },
          duplicates: 0,
        };
      }
    },
  };
}

interface SourceInventory {
  uri: string;
  etag: string;
  source: number;
  prefix: string;
}

function inventoryListing(
  { uri, etag, source, prefix }: SourceInventory,
  { openStore }: ListingStores,
): Listing {
  return {
    async *entries(after, signal) {
      const { store, key } = splitObjectUri(uri);
      const inventory = await readInventory(uri, openStore(store), key);
      if (inventory.etag !== etag)
        throw new Failure(
          'Store.Changed',
          `${uri} is not the inventory that the run was started with any more.`,
          { subject: uri, hint: 'Put it back, or start another run with the new one.' },
        );
      const listed = readInventoryEntries(inventory, { openStore, source, prefix, signal });
      const describe = ({ file, at }: ListedEntry) =>
        `${inventoryFile(inventory, file)}, ${placeOf(inventory.format, at)}`;
      yield* behind(after, sortEntries(abortable(listed, signal), { describe, strict: false }), signal);
    },
  };
}

function keyListing(
  { sources, keys }: Pick<TagSpec, 'sources' | 'keys'>,
  { openStore, output }: ListingStores,
): Listing {
  const find = objectFinder(sources.map(({ uri }) => uri));
  return {
    async *entries(after, signal) {
      const lists: KeyList[] = [];
      for (const { uri, etag, copy } of keys) {
        const { store, key } = splitObjectUri(uri);
        lists.push(
          await openKeyList(uri, {
            ...(copy === null ? { store: openStore(store), key, etag } : { store: output, key: copy }),
            ...(signal && { signal }),
          }),
        );
      }
      yield* behind(after, sortKeyLists(lists, find, signal), signal);
    },
  };
}

async function* behind(
  after: Position | undefined,
  listed: AsyncIterable<Listed>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Listed> {
  for await (const one of abortable(listed, signal))
    if (after === undefined || compareEntries(one.entry, after) > 0) yield one;
}

async function* abortable<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}
