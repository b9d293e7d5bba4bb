import { externalSort } from '../externalSort.ts';
import { Failure } from '../failure.ts';
import { compareEntries } from '../run/plan/entryOrder.ts';
import type { PlanEntry } from '../run/plan/plan.ts';

/** An object as a file lists it, and where. */
export interface ListedEntry extends PlanEntry {
  /** Which of the files that are read together, from 0. */
  file: number;
  /** Line or row in it, from 1. */
  at: number;
}

/** An object, and how often it was listed again. */
export interface Listed {
  entry: PlanEntry;
  duplicates: number;
}

export interface SortEntriesOptions {
  /** Where an entry is listed, for messages. */
  describe: (entry: ListedEntry) => string;
  /**
   * Whether the files are sources of their own, which must not name the same object, and whether rows of one object
   * must agree: key lists are written by people, inventories are not.
   */
  strict: boolean;
  /** Default: that of {@link externalSort}. */
  maxRecordsInMemory?: number;
  tempFolder?: string;
}

/**
 * The objects of lists in the order of a run, by source and key, each once; the row that comes first in its list stays.
 * Memory is constant: what does not fit is sorted in temporary files.
 *
 * @throws Failure `Usage.OverlappingSources` for an object in two files, `KeyList.Conflict` for one that is listed twice
 *   with other etags or versions; both name the two places
 */
export async function* sortEntries(
  entries: AsyncIterable<ListedEntry>,
  { describe, strict, ...options }: SortEntriesOptions,
): AsyncGenerator<Listed, void, undefined> {
  const sorted = externalSort(entries, { ...options, keyOf });
  let first: ListedEntry | undefined;
  let duplicates = 0;
  for await (const entry of sorted) {
    if (first && compareEntries(first, entry) === 0) {
      if (strict) refuse(first, entry, describe);
      duplicates++;
      continue;
    }
    if (first) yield { entry: withoutPlace(first), duplicates };
    [first, duplicates] = [entry, 0];
  }
  if (first) yield { entry: withoutPlace(first), duplicates };
}

/** No key holds a NUL, the smallest of bytes, so what follows it orders only entries of the same object. */
function keyOf({ source = 0, key, file, at }: ListedEntry): string {
  return `${padded(source, 6)}${key}\0${padded(file, 6)}${padded(at, 12)}`;
}

const padded = (value: number, digits: number): string => String(value).padStart(digits, '0');

function withoutPlace({ file: _file, at: _at, ...entry }: ListedEntry): PlanEntry {
  return entry;
}

function refuse(a: ListedEntry, b: ListedEntry, describe: SortEntriesOptions['describe']): void {
  const places = `${describe(a)} and ${describe(b)}`;
  if (a.file !== b.file)
    throw new Failure(
      'Usage.OverlappingSources',
      `Two lists name the same object, ${JSON.stringify(a.key)}: ${places}.`,
      {
        subject: a.key,
        hint: 'Every image belongs to one source: drop it from one of the lists, or join them.',
      },
    );
  const differs = (field: 'etag' | 'versionId') =>
    (a[field] ?? null) !== null && (b[field] ?? null) !== null && a[field] !== b[field];
  if (
    !differs('etag') &&
    !differs('versionId') &&
    (a.versionId === undefined) === (b.versionId === undefined)
  )
    return;
  throw new Failure(
    'KeyList.Conflict',
    `${JSON.stringify(a.key)} is listed twice with different etags or versions: ${places}.`,
    { subject: a.key, hint: 'A run tags one version of an object: keep one of the two rows.' },
  );
}
