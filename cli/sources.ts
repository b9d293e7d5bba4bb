import { createHash } from 'node:crypto';
import { resolveObjectUri, splitObjectUri } from '../data/dataset/objectUri.ts';
import { Failure } from '../data/failure.ts';
import { isInventory, readInventory, type Inventory } from '../data/listing/inventory.ts';
import { openKeyList } from '../data/listing/keyList.ts';
import { objectFinder } from '../data/listing/objectFinder.ts';
import { sortKeyLists } from '../data/listing/sortKeyLists.ts';
import { nestedSources } from '../data/run/plan/nestedSources.ts';
import type { TagSpec } from '../data/run/record.ts';
import { fileUri } from '../data/store/file/file.ts';
import { canonicalUri, openStore } from '../data/store/open.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { compareUtf8 } from '../data/utf8Order.ts';

export interface SourceFlags {
  keys?: string[];
  inventory?: string[];
  unsigned?: boolean;
  requesterPays?: boolean;
}

/** What a tag run reads, and the local key lists that its folder is to hold copies of. */
export interface Sources {
  spec: Pick<TagSpec, 'sources' | 'keys' | 'unsigned' | 'requesterPays'>;
  copies: { from: ObjectStore; key: string; copy: string }[];
}

/** A local list is copied through memory. */
const MAX_COPY_BYTES = 1 << 30;

/** More than this is not read by the command, only when the run is planned: some hundred thousand keys. */
const MAX_CHECKED_BYTES = 1 << 25;

/** As many as the order of a run's objects can tell apart. */
const MAX_SOURCES = 1000;

/**
 * The sources that a command names: prefixes, folders and inventories, and with `--keys` lists of keys in them.
 *
 * @throws Failure `Usage.Source`, `Usage.OverlappingSources`; those of reading a manifest
 */
export async function readSources(named: readonly string[], flags: SourceFlags): Promise<Sources> {
  const keyUris = (flags.keys ?? []).map((uri) => listUri(uri, '--keys'));
  const inventories = await Promise.all(
    [...named.filter(isInventory), ...(flags.inventory ?? [])].map((uri) => openInventory(uri)),
  );
  if (keyUris.length > 0 && inventories.length > 0)
    throw new Failure('Usage.Source', 'Both key lists and inventories are given.', {
      hint: 'Give either: a key list says already which keys to take.',
    });
  const asked = named.filter((uri) => !isInventory(uri)).map(canonicalUri);
  const sources = withInventories(asked, inventories, named.filter(isInventory).length);
  if (sources.length === 0)
    throw new Failure('Usage.Source', 'No source is given.', {
      hint: 'Name an s3://bucket/prefix or folder (with --keys the one that the keys are in), or an inventory.',
    });
  if (sources.length > MAX_SOURCES)
    throw new Failure('Usage.Source', `${sources.length} sources are more than the ${MAX_SOURCES} of a run.`);
  sources.sort((a, b) => compareUtf8(a.uri, b.uri));
  refuseNestedSources(sources.map(({ uri }) => uri));
  const twice = keyUris.find((uri, i) => keyUris.indexOf(uri) !== i);
  if (twice !== undefined)
    throw new Failure('Usage.OverlappingSources', `--keys ${twice} is given twice.`, { subject: twice });

  const keys: TagSpec['keys'] = [];
  const copies: Sources['copies'] = [];
  for (const uri of keyUris) {
    const { list, local } = await identify(uri);
    keys.push(list);
    if (local) copies.push({ ...local, copy: list.copy! });
  }
  return {
    spec: {
      sources,
      keys,
      unsigned: flags.unsigned ?? false,
      requesterPays: flags.requesterPays ?? false,
    },
    copies,
  };
}

/**
 * Reads key lists once, so that what is wrong in them is said before there is a run. Long ones are left to planning.
 *
 * @throws Failure those of reading and sorting key lists
 */
export async function checkKeyLists({ sources, keys }: Sources['spec']): Promise<void> {
  const find = objectFinder(sources.map(({ uri }) => uri));
  const lists = await Promise.all(
    keys.map(({ uri }) => {
      const { store, key } = splitObjectUri(uri);
      return openKeyList(uri, { store: openStore(store), key });
    }),
  );
  if (lists.reduce((sum, { object }) => sum + object.sizeBytes, 0) > MAX_CHECKED_BYTES) return;
  for await (const _ of sortKeyLists(lists, find));
}

/** Puts local key lists into the run's folder, where every worker can read them. */
export async function copyKeyLists(output: ObjectStore, copies: Sources['copies']): Promise<void> {
  for (const { from, key, copy } of copies) await output.put(copy, (await from.get(key)).body);
}

async function openInventory(written: string): Promise<Inventory> {
  const uri = listUri(written, '--inventory');
  const { store, key } = splitObjectUri(uri);
  return readInventory(uri, openStore(store), key);
}

/**
 * Gives each prefix the inventory of its bucket. Without prefixes, and for inventories that were named as sources (the
 * first `whole`), the whole bucket is a source.
 */
function withInventories(
  asked: readonly string[],
  inventories: readonly Inventory[],
  whole: number,
): TagSpec['sources'] {
  const used = new Set<Inventory>();
  const sources = asked.map((uri): TagSpec['sources'][number] => {
    const own = inventories.slice(whole).filter(({ bucket }) => `${uri}/`.startsWith(`${bucket}/`));
    if (own.length > 1)
      throw new Failure(
        'Usage.OverlappingSources',
        `Two inventories list ${own[0]!.bucket}: ${own.map((one) => one.uri).join(' and ')}.`,
        { subject: own[0]!.bucket, hint: 'Give the newer one.' },
      );
    for (const one of own) used.add(one);
    return { uri, inventory: own[0] ? { uri: own[0].uri, etag: own[0].etag } : null };
  });
  for (const [i, inventory] of inventories.entries()) {
    if (used.has(inventory)) continue;
    const { uri, etag, bucket } = inventory;
    if (i >= whole && asked.length > 0)
      throw new Failure('Usage.Source', `The inventory ${uri} lists ${bucket}, which no source lies in.`, {
        subject: uri,
        hint: `Name ${bucket} or a prefix of it as a source, or no source at all.`,
      });
    sources.push({ uri: bucket, inventory: { uri, etag } });
  }
  return sources;
}

function refuseNestedSources(uris: readonly string[]): void {
  const nested = nestedSources(uris);
  if (!nested) return;
  const [outer, inner] = nested;
  throw new Failure(
    'Usage.OverlappingSources',
    inner === outer ? `The source ${outer} is given twice.` : `The source ${inner} lies within ${outer}.`,
    { subject: inner, hint: 'Every image belongs to one source: give the outer one alone.' },
  );
}

async function identify(
  uri: string,
): Promise<{ list: TagSpec['keys'][number]; local?: { from: ObjectStore; key: string } }> {
  const { store: place, key } = splitObjectUri(uri);
  const store = openStore(place);
  if (uri.startsWith('s3://')) {
    const info = await store.head(key);
    if (!info) throw new Failure('Usage.File', `--keys ${uri}: no such object.`, { subject: uri });
    return { list: { uri, etag: info.etag, copy: null } };
  }
  const info = await store.head(key);
  if (!info) throw new Failure('Usage.File', `--keys ${uri} cannot be read: no such file.`, { subject: uri });
  if (info.sizeBytes > MAX_COPY_BYTES)
    throw new Failure('Usage.File', `--keys ${uri} has ${info.sizeBytes} bytes, more than 1 GiB.`, {
      subject: uri,
      hint: 'Put a list of this size into a bucket and give its s3:// URI.',
    });
  const hash = createHash('sha256')
    .update((await store.get(key)).body)
    .digest('hex');
  // The ending tells the format, and whether it is packed.
  const ending = /\.[a-z]+(?:\.gz)?$/i.exec(key)?.[0] ?? '';
  return {
    list: { uri, etag: hash, copy: `_inputs/keys-${hash.slice(0, 16)}${ending}` },
    local: { from: store, key },
  };
}

function listUri(written: string, flag: string): string {
  try {
    return resolveObjectUri(written, fileUri(process.cwd()));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Failure('Usage.File', `${flag} ${JSON.stringify(written)} ${error.message}.`, {
      subject: written,
      cause: error,
    });
  }
}
