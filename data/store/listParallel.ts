import { compareUtf8 } from '../utf8Order.ts';
import type { ObjectInfo } from './store.ts';

/** One page of ListObjectsV2. Keys and prefixes are whole ones (a store's own prefix included) and come in order. */
export interface ListPage {
  objects: ObjectInfo[];
  /** With a delimiter: what ends in it and was rolled up. */
  commonPrefixes: string[];
  /** Set when there is more. */
  continuationToken?: string;
}

export interface ListPageRequest {
  prefix: string;
  startAfter?: string;
  delimiter?: '/';
  continuationToken?: string;
}

/** Asks the server for one page, of at most the server's page size (1,000 on S3). */
export type ListPageOf = (request: ListPageRequest) => Promise<ListPage>;

export interface ListParallelOptions {
  prefix: string;
  startAfter?: string;
  /** Requests in flight at once, at least 1. */
  concurrency: number;
  /** How many pages ahead of the reader requests go, at least `concurrency`; twice as many are ever held at once. */
  maxPagesAhead: number;
  /** Keys that one server page holds; only steers how the listing is cut. Default 1,000. */
  pageKeys?: number;
  signal?: AbortSignal;
}

/**
 * One request of the listing, or its answer. The steps form a list in key order: a step that was run is replaced by its
 * objects and by the steps for what comes after them, so reading the list from its start gives the keys in order.
 */
type Step = ScanStep | SplitStep | ObjectsStep;

/** A plain page: of all under `prefix`, or of the range from the first to the last of some neighbouring folders. */
interface ScanStep {
  kind: 'scan';
  prefix: string;
  after: string | undefined;
  range?: Range;
  continuationToken?: string;
}

/** Neighbouring folders right under one prefix, and the objects between them. */
interface Range {
  folders: string[];
  between: ObjectInfo[];
}

/** A page with a delimiter, which finds the folders right under `prefix` to scan side by side. */
interface SplitStep {
  kind: 'split';
  prefix: string;
  after: string | undefined;
  continuationToken?: string;
  /** Folder that another step lists already. */
  skip: string | undefined;
  /** Keys seen per folder so far. */
  keysPerFolder: number;
}

interface ObjectsStep {
  kind: 'objects';
  objects: ObjectInfo[];
}

/** A place in the list. `answered` is set once the request is under way; it rejects if that fails. */
interface Place {
  step: Step;
  answered?: Promise<void>;
  next: Place | undefined;
}

/** Below this, finding the folders takes as many requests, one after the other, as listing their keys. */
const MIN_KEYS_PER_FOLDER = 2;

/** Pages that a range of small folders should take, so that neither requests nor waiting dominate. */
const PAGES_PER_SCAN = 3;

/**
 * Lists as one plain listing would, key for key, but with several requests at once. A prefix is listed plainly as long
 * as one page is enough; a larger one is cut at its folders. Small neighbouring folders are listed together, by the
 * number of keys per folder seen so far; flat folders, which nothing cuts, page by page.
 *
 * The order holds wherever keys and folders interleave (`a`, `a.b`, `a/b`, `a0`): all keys under `a/` share that start,
 * so they stand together, where `a/` itself would.
 */
export async function* listParallel(
  listPage: ListPageOf,
  options: ListParallelOptions,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const { prefix, startAfter, concurrency, maxPagesAhead, signal } = options;
  let first: Place | undefined = {
    step: { kind: 'scan', prefix, after: startAfter },
    next: undefined,
  };

  let inFlight = 0;
  let waiting = 0;

  /** Starts what may be started, nearest to the reader first. */
  const startRequests = (): void => {
    let before = 0;
    for (let place = first; place !== undefined && inFlight < concurrency; place = place.next) {
      const isFull = before >= maxPagesAhead || waiting + inFlight >= 2 * maxPagesAhead;
      if (isFull && place !== first) return;
      if (place.step.kind !== 'objects' && place.answered === undefined) {
        place.answered = ask(place, place.step);
        // Thrown when the reader comes to it: what lies before it is still good.
        place.answered.catch(() => undefined);
      }
      before++;
    }
  };
  const ask = async (place: Place, step: ScanStep | SplitStep): Promise<void> => {
    inFlight++;
    try {
      const steps =
        step.kind === 'scan' ? await scan(listPage, step, options) : await split(listPage, step, options);
      let rest = place.next;
      for (const later of steps.slice(1).reverse()) rest = { step: later, next: rest };
      place.step = steps[0]!;
      place.next = rest;
      waiting += steps.filter(({ kind }) => kind === 'objects').length;
      delete place.answered;
    } finally {
      inFlight--;
    }
    startRequests();
  };

  try {
    while (first !== undefined) {
      signal?.throwIfAborted();
      startRequests();
      if (first.step.kind === 'objects') {
        yield* first.step.objects;
        first = first.next;
        waiting--;
      } else {
        await first.answered;
      }
    }
  } finally {
    // Answers that still come in start nothing any more.
    first = undefined;
  }
}

async function scan(listPage: ListPageOf, step: ScanStep, options: ListParallelOptions): Promise<Step[]> {
  const { prefix, after, range } = step;
  const from = range?.folders[0];
  const to = range?.folders.at(-1);
  // One folder is a prefix of its own: a page then holds nothing of its neighbours.
  const parent = from !== undefined && from === to ? from : prefix;
  const start = after ?? (from !== undefined && parent === prefix ? justBefore(from) : undefined);
  const page = await listPage({ prefix: parent, ...position(start, step.continuationToken) });
  const isAfter = (key: string) => after === undefined || compareUtf8(key, after) > 0;
  const objects = page.objects.filter(({ key }) => isAfter(key) && isWithin(key, from, to));
  const found: ObjectsStep = { kind: 'objects', objects };
  if (page.continuationToken === undefined) return [found];
  const lastKey = page.objects.at(-1)?.key;
  if (lastKey === undefined) return [{ ...step, continuationToken: page.continuationToken }];
  if (!isBeforeEnd(lastKey, to)) return [found];

  const seen = foldersIn(page.objects, parent);
  const isWhole = range === undefined || parent !== prefix;
  if (isWhole && seen.keysPerFolder < MIN_KEYS_PER_FOLDER) return [found, { ...step, after: lastKey }];
  if (isWhole) {
    const split: SplitStep = { ...seen, kind: 'split', prefix: parent, after: lastKey, skip: seen.last };
    if (seen.last === undefined) return [found, split];
    return [found, restOf(parent, seen.last, lastKey), split];
  }
  const folders = range.folders.filter((folder) => compareUtf8(folder, lastKey) > 0);
  const between = range.between.filter(({ key }) => compareUtf8(key, lastKey) > 0);
  const current = range.folders.find((folder) => lastKey.startsWith(folder));
  const rest = current === undefined ? [] : [restOf(prefix, current, lastKey)];
  if (seen.count <= 1)
    return [found, ...rest, ...cut(prefix, { folders, between }, seen.keysPerFolder, options)];
  // Small folders: what is left of the current one goes on together with those behind it.
  const [next, ...later] = cut(
    prefix,
    { folders: current === undefined ? folders : [current, ...folders], between },
    seen.keysPerFolder,
    options,
  );
  if (next === undefined) return [found];
  return [found, next.kind === 'scan' ? { ...next, after: lastKey } : next, ...later];
}

async function split(listPage: ListPageOf, step: SplitStep, options: ListParallelOptions): Promise<Step[]> {
  const { prefix, after, skip, keysPerFolder, continuationToken } = step;
  const page = await listPage({ prefix, delimiter: '/', ...position(after, continuationToken) });
  const folders = page.commonPrefixes.filter((folder) => folder !== skip);
  const between = page.objects.filter(({ key }) => after === undefined || compareUtf8(key, after) > 0);
  const steps: Step[] = cut(prefix, { folders, between }, keysPerFolder, options);
  if (steps.length === 0) steps.push({ kind: 'objects', objects: [] });
  if (page.continuationToken !== undefined)
    steps.push({ ...step, continuationToken: page.continuationToken });
  return steps;
}

/** What is left of one folder right under `prefix`. */
function restOf(prefix: string, folder: string, after: string): ScanStep {
  return { kind: 'scan', prefix, after, range: { folders: [folder], between: [] } };
}

/** Cuts a range into scans of a few pages each, and the objects that lie before, between and after those. */
function cut(
  prefix: string,
  { folders, between }: Range,
  keysPerFolder: number,
  options: ListParallelOptions,
): (ScanStep | ObjectsStep)[] {
  const perScan = Math.max(1, Math.floor((PAGES_PER_SCAN * (options.pageKeys ?? 1000)) / keysPerFolder));
  const steps: (ScanStep | ObjectsStep)[] = [];
  let done = 0;
  const takeUntil = (folder: string | undefined): ObjectInfo[] => {
    const start = done;
    while (done < between.length && isBeforeEnd(between[done]!.key, folder)) done++;
    return between.slice(start, done);
  };
  const pushObjects = (objects: ObjectInfo[]) => {
    if (objects.length > 0) steps.push({ kind: 'objects', objects });
  };
  for (let start = 0; start < folders.length; start += perScan) {
    const some = folders.slice(start, start + perScan);
    pushObjects(takeUntil(some[0]));
    // Its pages hold these again, which is cheaper than a request for each gap between two of them.
    const range: Range = { folders: some, between: takeUntil(some.at(-1)) };
    steps.push({ kind: 'scan', prefix, after: undefined, range });
  }
  pushObjects(takeUntil(undefined));
  return steps;
}

/** The folders right under `prefix` that `objects` are in: how many, how full on average, and the one of the last. */
function foldersIn(
  objects: ObjectInfo[],
  prefix: string,
): { last: string | undefined; count: number; keysPerFolder: number } {
  let last: string | undefined;
  let count = 0;
  for (const { key } of objects) {
    if (last !== undefined && key.startsWith(last)) continue;
    const slash = key.indexOf('/', prefix.length);
    last = slash === -1 ? undefined : key.slice(0, slash + 1);
    if (last !== undefined) count++;
  }
  return { last, count, keysPerFolder: objects.length / Math.max(1, count) };
}

function isWithin(key: string, from: string | undefined, to: string | undefined): boolean {
  return (from === undefined || compareUtf8(key, from) >= 0) && isBeforeEnd(key, to);
}

/** Whether `key` comes before the end of folder `to`; anything does where there is none. */
function isBeforeEnd(key: string, to: string | undefined): boolean {
  return to === undefined || compareUtf8(key, to) < 0 || key.startsWith(to);
}

/** A key right before all of `folder`'s: the byte before "/" is ".". What still lies between is dropped by the scan. */
function justBefore(folder: string): string {
  return `${folder.slice(0, -1)}.\u{10FFFF}`;
}

function position(
  startAfter: string | undefined,
  continuationToken: string | undefined,
): Partial<ListPageRequest> {
  if (continuationToken !== undefined) return { continuationToken };
  return startAfter === undefined ? {} : { startAfter };
}
