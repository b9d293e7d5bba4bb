/** Trainings on the bundled scenes: real images, labels and graph, and a model of four blocks. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const DEMO = fileURLToPath(new URL('../../assets/demo/', import.meta.url));
export const DEMO_MODEL = join(DEMO, 'model');
export const DEMO_CATEGORIES = join(DEMO, 'categories.json');
export const DEMO_GRAPH = join(DEMO, 'graph.json');

/** A row of a manifest. */
export interface Scene {
  uri: string;
  labels: string[];
  captions?: string[];
  etag?: string;
}

/** Scenes [from, to) with their labels, where they lie. */
export function scenes(from: number, to: number): Scene[] {
  return readFileSync(join(DEMO, 'labels.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .slice(from, to)
    .map((line) => {
      const { key, labels } = JSON.parse(line) as { key: string; labels: string[] };
      return { uri: join(DEMO, 'scenes', key), labels };
    });
}

/** The scenes as copies in a folder: other images, by their URIs. */
export async function copyScenes(originals: readonly Scene[], folder: string): Promise<Scene[]> {
  return Promise.all(
    originals.map(async ({ uri, ...scene }, i) => {
      const copy = join(folder, `${i}.jpg`);
      await mkdir(dirname(copy), { recursive: true });
      await writeFile(copy, readFileSync(uri));
      return { uri: copy, ...scene };
    }),
  );
}

export async function writeManifest(file: string, rows: readonly Scene[]): Promise<void> {
  await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** `c2srt train` on `train.jsonl` with the bundled model, categories and graph; later flags go before earlier ones. */
export const trainDemo = (out: string, ...more: string[]): string[] => [
  'train',
  ...['--data', 'train.jsonl', '--model', DEMO_MODEL],
  ...['--categories', DEMO_CATEGORIES, '--graph', DEMO_GRAPH],
  ...['--out', out, ...more],
];
