/** Text files of a data set, on this machine or in a bucket, read a piece at a time. */
import { Failure } from '../../failure.ts';
import { readLineBlocks } from '../../records.ts';
import { fileUri } from '../../store/file/file.ts';
import { canonicalUri, openStore, type StoreOptions } from '../../store/open.ts';
import { openRanges, type RangedObject } from '../../store/ranges.ts';
import type { ObjectStore } from '../../store/store.ts';
import { notUtf8 } from '../notUtf8.ts';
import { resolveObjectUri, splitObjectUri } from '../objectUri.ts';
import type { NameList } from './chosenCategories.ts';

/** A file of a data set. */
export interface SourceFile {
  /** Canonical URI, for messages. */
  uri: string;
  store: ObjectStore;
  key: string;
}

/** A line that is not blank, without white space at its ends; numbers count from 1. */
export interface SourceLine {
  line: number;
  text: string;
}

/** The file at a URI or path. Throws `Dataset.Invalid` for what names none. */
export function sourceFile(uri: string, options: StoreOptions = {}): SourceFile {
  try {
    const canonical = resolveObjectUri(uri, fileUri(process.cwd()));
    const { store, key } = splitObjectUri(canonical);
    return { uri: canonical, store: openStore(store, options), key };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Failure('Dataset.Invalid', `"${uri}" ${error.message}.`, { subject: uri, cause: error });
  }
}

/** The first of some files of a folder that is there. Throws `Store.NotFound`, naming all of them. */
export async function firstOf(
  folder: string,
  names: readonly string[],
  options: StoreOptions = {},
): Promise<SourceFile> {
  const store = openStore(folder, options);
  for (const key of names) if (await store.head(key)) return { uri: store.describeKey(key), store, key };
  throw new Failure('Store.NotFound', `${canonicalUri(folder)} has none of ${names.join(', ')}.`, {
    subject: folder,
    hint: "Unpack the data set's archives into one folder, under the names that they have.",
  });
}

/** The file's bytes, in pieces. Throws `Store.NotFound`. */
async function openSource({ store, key }: SourceFile): Promise<RangedObject> {
  return openRanges(store, key);
}

/** Of the pieces of a text without lines: a parser's tokens are many times as large. */
const PIECE_BYTES = 1 << 18;

/** The file's text in pieces that are cut anywhere, for files whose lines may be as long as they are. */
export async function* sourcePieces(file: SourceFile): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const object = await openSource(file);
  let start = 0;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch (error) {
      throw new Failure('Dataset.Encoding', `${file.uri}: not valid UTF-8 after byte ${start}.`, {
        ...{ subject: file.uri, hint: 'Save the file as UTF-8.', cause: error },
      });
    }
  };
  for await (const chunk of object.chunks())
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
      const piece = chunk.subarray(from, from + PIECE_BYTES);
      yield decode(piece);
      start += piece.length;
    }
  yield decode();
}

/** The file's text in blocks of whole lines. */
export async function* sourceText(file: SourceFile): AsyncGenerator<string> {
  for await (const { text } of blocksOf(file)) yield text;
}

/** The lines of a file, one after another. */
export async function* sourceLines(file: SourceFile): AsyncGenerator<SourceLine, void, undefined> {
  for await (const block of blocksOf(file))
    for (const [at, line] of block.text.split('\n').entries()) {
      const text = line.trim();
      if (text !== '') yield { line: block.line + at, text };
    }
}

/** A list of names, one per line; lines that begin with # are notes. */
export async function readNameList(uri: string, options: StoreOptions = {}): Promise<NameList> {
  const file = sourceFile(uri, options);
  const names: NameList['names'] = [];
  for await (const { line, text } of sourceLines(file))
    if (!text.startsWith('#')) names.push({ line, name: text });
  if (names.length > 0) return { file: file.uri, names };
  throw new Failure('Dataset.Empty', `${file.uri} names no category.`, { subject: file.uri });
}

export function invalidSource({ uri }: SourceFile, reason: string, cause?: unknown): Failure {
  return new Failure('Dataset.Invalid', `${uri}: ${reason}.`, { subject: uri, cause });
}

async function* blocksOf(file: SourceFile): AsyncGenerator<{ text: string; line: number }> {
  yield* readLineBlocks({
    object: await openSource(file),
    fail: (reason) => invalidSource(file, reason),
    encoding: (line) => notUtf8(file.uri, line),
  });
}
