import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { corpusOf } from './corpus.ts';

export const LABELS = ['dog', 'wolf', 'sheep'];

/** Writes `count` images, a manifest that labels them (captions too) and its categories into `dir`. */
export async function writeTrainCorpus(dir: string, count: number): Promise<void> {
  await mkdir(join(dir, 'images'), { recursive: true });
  const rows: string[] = [];
  for (const [i, { body }] of corpusOf(count, 0).entries()) {
    const uri = `images/${String(i).padStart(4, '0')}`;
    await writeFile(join(dir, uri), body);
    const labels = LABELS.filter((_, label) => (i + label) % 3 !== 0);
    rows.push(JSON.stringify({ uri, labels, captions: [labels.join(' and ')] }));
  }
  await writeFile(join(dir, 'manifest.jsonl'), `${rows.join('\n')}\n`);
  await writeFile(join(dir, 'categories.txt'), `${LABELS.join('\n')}\n`);
}
