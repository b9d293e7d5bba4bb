import { open, mkdtemp, rm, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { classifyFileError } from './store/file/classifyFile.ts';
import { compareUtf8 } from './utf8Order.ts';

export interface ExternalSortOptions<T> {
  /** What to sort by; well-formed strings. */
  keyOf: (record: T) => string;
  /** Records held in memory before they are spilled to a sorted file (a run). Default 50,000. */
  maxRecordsInMemory?: number;
  /** Runs merged at a time, at least 2; also the limit of open files. Default 64. */
  fanIn?: number;
  /** Folder for the runs. Default: the system's temporary folder. */
  tempFolder?: string;
  /** Called for every record that is dropped because an earlier one has its key. */
  onDuplicate?: (record: T) => void;
}

const WRITE_BYTES = 1 << 18;
const READ_BYTES = 1 << 16;

/** A sorted file of JSON lines; `level` counts the merges behind it. */
interface Run {
  path: string;
  level: number;
}

/**
 * The records in UTF-8 byte order of their keys, whatever their number: sorted runs in temporary files, merged. Of
 * records with equal keys the first one in input order stays. Input that fits in memory touches no disk.
 *
 * Records must survive `JSON.stringify`. The temporary files are removed when the iteration ends, however it ends.
 *
 * @throws Failure `Store.DiskFull` and others of {@link classifyFileError} when a run cannot be written.
 */
export async function* externalSort<T>(
  records: AsyncIterable<T> | Iterable<T>,
  options: ExternalSortOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const maxRecords = options.maxRecordsInMemory ?? 50_000;
  const fanIn = options.fanIn ?? 64;
  const runs: Run[] = [];
  let folder: string | undefined;
  let runCount = 0;
  const write = async (sorted: AsyncIterable<T> | Iterable<T>, level: number): Promise<void> => {
    try {
      folder ??= await mkdtemp(join(options.tempFolder ?? tmpdir(), 'c2srt-sort-'));
      const path = join(folder, `run-${runCount++}`);
      await writeRun(path, sorted);
      runs.push({ path, level });
    } catch (error) {
      throw classifyFileError(error, folder ?? tmpdir());
    }
  };
  try {
    let pending: T[] = [];
    for await (const record of records) {
      pending.push(record);
      if (pending.length < maxRecords) continue;
      await write(sortInMemory(pending, options), 0);
      pending = [];
      // Equal levels are neighbours, and earlier runs hold earlier input: merging the tail keeps "the first one stays".
      for (let tail = tailOf(runs); tail.length >= fanIn; tail = tailOf(runs)) {
        runs.length -= tail.length;
        await write(merge(tail.map(readRun<T>), options), tail[0]!.level + 1);
        for (const run of tail) await unlink(run.path);
      }
    }
    const rest = sortInMemory(pending, options);
    if (runs.length === 0) {
      yield* rest;
      return;
    }
    if (pending.length > 0) await write(rest, 0);
    while (runs.length > fanIn) {
      const tail = runs.splice(-fanIn);
      await write(merge(tail.map(readRun<T>), options), 0);
      for (const run of tail) await unlink(run.path);
    }
    yield* merge(runs.map(readRun<T>), options);
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** The runs at the end of the list that share one level. */
function tailOf(runs: Run[]): Run[] {
  const level = runs.at(-1)?.level;
  return runs.slice(runs.findLastIndex((run) => run.level !== level) + 1);
}

function sortInMemory<T>(records: T[], { keyOf, onDuplicate }: ExternalSortOptions<T>): T[] {
  const keyed = records.map((record) => ({ key: keyOf(record), record }));
  // Without surrogates the engine's own order of strings is that of UTF-8, and several times as fast.
  const isPlain = !keyed.some(({ key }) => /[\uD800-\uDFFF]/.test(key));
  keyed.sort(
    isPlain ? (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) : (a, b) => compareUtf8(a.key, b.key),
  );
  const unique: T[] = [];
  for (const [index, { key, record }] of keyed.entries()) {
    if (index > 0 && keyed[index - 1]!.key === key) onDuplicate?.(record);
    else unique.push(record);
  }
  return unique;
}

/** One input of a merge: its next record, and where it stands among the inputs. */
interface Head<T> {
  key: string;
  record: T;
  index: number;
  rest: AsyncIterator<T[]>;
  block: T[];
  position: number;
}

/** Merges inputs of sorted blocks; of equal keys the one of the first input stays. */
async function* merge<T>(
  inputs: AsyncIterable<T[]>[],
  { keyOf, onDuplicate }: ExternalSortOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const heap: Head<T>[] = [];
  const before = (a: Head<T>, b: Head<T>) => (compareUtf8(a.key, b.key) || a.index - b.index) < 0;
  const open = inputs.map((input) => input[Symbol.asyncIterator]());
  try {
    for (const [index, rest] of open.entries()) {
      const first = await rest.next();
      if (first.done === true) continue;
      const record = first.value[0]!;
      heap.push({ key: keyOf(record), record, index, rest, block: first.value, position: 0 });
      siftUp(heap, before);
    }
    let last: string | undefined;
    for (let top = heap[0]; top !== undefined; top = heap[0]) {
      if (top.key === last) onDuplicate?.(top.record);
      else yield top.record;
      last = top.key;
      if (++top.position === top.block.length) {
        const next = await top.rest.next();
        if (next.done === true) {
          const moved = heap.pop()!;
          if (heap.length > 0 && moved !== top) {
            heap[0] = moved;
            siftDown(heap, before);
          }
          continue;
        }
        top.block = next.value;
        top.position = 0;
      }
      top.record = top.block[top.position]!;
      top.key = keyOf(top.record);
      siftDown(heap, before);
    }
  } finally {
    for (const input of open) await input.return?.();
  }
}

function siftUp<H>(heap: H[], before: (a: H, b: H) => boolean): void {
  for (let child = heap.length - 1; child > 0;) {
    const parent = (child - 1) >> 1;
    if (!before(heap[child]!, heap[parent]!)) return;
    [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
    child = parent;
  }
}

function siftDown<H>(heap: H[], before: (a: H, b: H) => boolean): void {
  for (let parent = 0; ;) {
    let child = 2 * parent + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, heap[parent]!)) return;
    [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
    parent = child;
  }
}

async function writeRun<T>(path: string, records: AsyncIterable<T> | Iterable<T>): Promise<void> {
  const file: FileHandle = await open(path, 'wx');
  try {
    let lines: string[] = [];
    let sizeBytes = 0;
    for await (const record of records) {
      const line = JSON.stringify(record);
      lines.push(line);
      sizeBytes += line.length + 1;
      if (sizeBytes < WRITE_BYTES) continue;
      await file.writeFile(lines.join('\n') + '\n');
      lines = [];
      sizeBytes = 0;
    }
    if (lines.length > 0) await file.writeFile(lines.join('\n') + '\n');
  } finally {
    await file.close();
  }
}

/** The records of a run, in blocks of about 64 KiB. */
async function* readRun<T>(run: Run): AsyncGenerator<T[], void, undefined> {
  const file = await open(run.path, 'r');
  try {
    const decoder = new StringDecoder('utf8');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let unfinished = '';
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return;
      const lines = (unfinished + decoder.write(buffer.subarray(0, bytesRead))).split('\n');
      unfinished = lines.pop()!;
      if (lines.length > 0) yield lines.map((line) => JSON.parse(line) as T);
    }
  } finally {
    await file.close();
  }
}
