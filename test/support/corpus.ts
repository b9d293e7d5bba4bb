import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ObjectStore } from '../../data/store/store.ts';

const images = new URL('../images/', import.meta.url);

interface Fixture {
  body: Buffer;
  extension: string;
  /** The code that it fails with; null: it decodes. */
  code: string | null;
}

function fixtures(folder: 'good' | 'bad'): Fixture[] {
  const url = new URL(`${folder}/`, images);
  return readdirSync(url)
    .sort()
    .map((name) => ({
      body: readFileSync(new URL(name, url)),
      extension: /\.[a-z]+$/.exec(name)?.[0] ?? '',
      code: folder === 'good' ? null : name.split('--')[0]!,
    }));
}

/** Folders and names that buckets really have: each is a trap for some way to build or take apart keys. */
const FOLDERS = [
  '',
  'a/',
  'a/b/c/',
  'with space/',
  'naïve café/',
  '犬と猫/',
  '#hash/',
  '100%25/',
  'a+b=c&d/',
  '.hidden/',
];
const NAMES = [
  'plain',
  'with space',
  'ünïcode',
  '画像 🐶',
  '50%',
  '%2Fslash',
  'a+b',
  '#1',
  'what?',
  "it's",
  'a&b;c',
  '[x](y)',
  '~tilde',
  'e\u0301',
];

/** What a run must make of a corpus: for each key the failure's code, or null for tags. */
export type Expected = Map<string, string | null>;

/** `count` objects under varied keys; the share `bad` of them cannot be decoded. Deterministic. */
export function corpusOf(count: number, bad: number): { key: string; body: Buffer; code: string | null }[] {
  const [decodable, broken] = [fixtures('good'), fixtures('bad')];
  return Array.from({ length: count }, (_, i) => {
    const isBad = Math.floor((i + 1) * bad) > Math.floor(i * bad);
    const of = isBad ? broken : decodable;
    const { body, extension, code } = of[i % of.length]!;
    const folder = FOLDERS[i % FOLDERS.length]!;
    const name = NAMES[Math.floor(i / FOLDERS.length) % NAMES.length]!;
    return { key: `${folder}${name}-${i}${extension}`, body, code };
  });
}

export async function writeCorpus(dir: string, count: number, bad: number): Promise<Expected> {
  await mkdir(dir, { recursive: true });
  const corpus = corpusOf(count, bad);
  for (const { key, body } of corpus) {
    const path = join(dir, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, body);
  }
  return new Map(corpus.map(({ key, code }) => [key, code]));
}

export async function putCorpus(store: ObjectStore, count: number, bad: number): Promise<Expected> {
  const corpus = corpusOf(count, bad);
  for (let i = 0; i < corpus.length; i += 32)
    await Promise.all(corpus.slice(i, i + 32).map(({ key, body }) => store.put(key, body)));
  return new Map(corpus.map(({ key, code }) => [key, code]));
}
