import { basename } from 'node:path';
import { vocabularyHash } from '../data/categories.ts';
import { Failure } from '../data/failure.ts';
import type { RunVocabulary } from '../data/run/vocabularies.ts';
import { compareUtf8 } from '../data/utf8Order.ts';
import { readInputs, type Inputs } from './inputs.ts';

/** Flags of `tag` that are about vocabularies; each may be given again, and of several vocabularies name one. */
export interface VocabularyFlags {
  categories: string[];
  graph?: string[];
  topK?: string[];
  threshold?: string[];
}

/** A vocabulary that is asked for, with its files' content. */
export interface AskedVocabulary extends Inputs, Pick<RunVocabulary, 'name' | 'topK' | 'threshold'> {}

/** What a vocabulary may be called: the name is part of keys, and rows are asked by it. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Reads the vocabularies that flags name, in the order of their names: `--categories NAME=FILE`, or of several FILE, which
 * is then called by its base name; the only one needs none. Of `--graph`, `--top-k` and `--threshold` NAME=VALUE is that
 * vocabulary's, and VALUE that of all that have none of their own.
 *
 * @throws Failure `Usage.Vocabulary` for a name that cannot be one, is another's, or is no vocabulary's; `Usage.Flag` for a
 *   value; those of reading the files.
 */
export async function readVocabularies(flags: VocabularyFlags): Promise<AskedVocabulary[]> {
  const files = flags.categories.map((text) => {
    const { name, value } = named(text);
    return { name: name ?? (flags.categories.length > 1 ? baseName(value) : null), file: value };
  });
  refuseSameNames(files);
  const names = files.map(({ name }) => name);
  const graph = perVocabulary('--graph', flags.graph, names);
  const topK = perVocabulary('--top-k', flags.topK, names);
  const threshold = perVocabulary('--threshold', flags.threshold, names);
  const asked: AskedVocabulary[] = [];
  for (const { name, file } of files.sort((a, b) => compareUtf8(a.name ?? '', b.name ?? ''))) {
    const own = graph(name);
    asked.push({
      name,
      ...(await readInputs({ categories: file, ...(own !== undefined && { graph: own }) })),
      topK: numberFlag('--top-k', topK(name), isCount, 'a whole number of at least 1'),
      threshold: numberFlag('--threshold', threshold(name), Number.isFinite, 'a number'),
    });
  }
  return asked;
}

export const runVocabularyOf = ({
  name,
  categories,
  graph,
  topK,
  threshold,
}: AskedVocabulary): RunVocabulary => ({
  name,
  categories: vocabularyHash(categories),
  graph: graph?.hash ?? null,
  topK,
  threshold,
});

/** `NAME=VALUE`, or VALUE alone: as also where what is before the first `=` cannot be a name, as in `./a=b.txt`. */
function named(text: string): { name: string | null; value: string } {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(0, at));
  return NAME.test(name) ? { name, value: text.slice(at + 1) } : { name: null, value: text };
}

function baseName(file: string): string {
  const name = basename(file).replace(/\.[^.]*$/, '');
  if (NAME.test(name)) return name;
  throw new Failure('Usage.Vocabulary', `--categories ${file} gives its vocabulary no name.`, {
    subject: file,
    hint: 'Name it, as `--categories animals=FILE`: letters, digits, `.`, `_` and `-`, 64 at most.',
  });
}

/** File systems may take names that differ in case for one. */
function refuseSameNames(files: readonly { name: string | null; file: string }[]): void {
  const before = new Map<string, string>();
  for (const { name, file } of files) {
    if (name === null) continue;
    const other = before.get(name.toLowerCase());
    if (other !== undefined)
      throw new Failure(
        'Usage.Vocabulary',
        `Two vocabularies are called ${name}: those of ${other} and ${file}.`,
        { subject: file, hint: 'Give one another name, as `--categories animals=FILE`.' },
      );
    before.set(name.toLowerCase(), file);
  }
}

/** The value of a flag for each vocabulary, by its name. */
function perVocabulary(
  flag: string,
  given: readonly string[] = [],
  names: readonly (string | null)[],
): (name: string | null) => string | undefined {
  const values = new Map<string | null, string>();
  for (const text of given) {
    // Where the only vocabulary has no name, nothing but values is meant.
    const { name, value } = names[0] === null ? { name: null, value: text } : named(text);
    if (name !== null && !names.includes(name))
      throw new Failure('Usage.Vocabulary', `${flag} ${text}: no vocabulary is called ${name}.`, {
        hint: `Vocabularies are: ${names.join(', ')}.`,
      });
    if (values.has(name))
      throw new Failure(
        'Usage.Flag',
        `${flag} is given twice for ${name ?? 'all vocabularies'}: ${values.get(name)!} and ${value}.`,
      );
    values.set(name, value);
  }
  return (name) => values.get(name) ?? values.get(null);
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 1;

function numberFlag(
  flag: string,
  text: string | undefined,
  accepts: (n: number) => boolean,
  expected: string,
): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text.trim() === '' || !accepts(value))
    throw new Failure('Usage.Flag', `${flag} is ${JSON.stringify(text)}: expected ${expected}.`);
  return value;
}
