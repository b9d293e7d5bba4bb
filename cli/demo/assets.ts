import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const folder = join(dirname(createRequire(import.meta.url).resolve('c2srt/package.json')), 'assets', 'demo');

/** What the demo is made of; NOTICE beside it says where it comes from. */
export const DEMO = {
  /** A CLIP checkpoint folder. */
  model: join(folder, 'model'),
  /** 600 JPEG files, whose names are the keys of `labels.jsonl`. */
  scenes: join(folder, 'scenes'),
} as const;

/** A category of the demo's world; the truth about `seen` ones was there to train on, about `unseen` ones never. */
export interface DemoCategory {
  name: string;
  split: 'seen' | 'unseen';
}

/** The world's 191 categories, in the order of the vocabulary. */
export function readDemoCategories(): DemoCategory[] {
  const category = z.object({ name: z.string(), split: z.enum(['seen', 'unseen']) });
  return z.array(category).parse(JSON.parse(read('categories.json')));
}

/** The true labels of each scene, by its key. */
export function readDemoLabels(): Map<string, ReadonlySet<string>> {
  const line = z.object({ key: z.string(), labels: z.array(z.string()) });
  return new Map(
    read('labels.jsonl')
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => {
        const { key, labels } = line.parse(JSON.parse(text));
        return [key, new Set(labels)];
      }),
  );
}

/** Figures in percent. */
export type Figures = Record<'mAP' | 'F1@3' | 'F1@5', number>;

/** Scored over the unseen categories alone, and over all. */
export type Agreement = Record<'ZSL' | 'GZSL', Figures>;

/** The figures that a PyTorch implementation of training-free CLIP + ISR got on the same scenes. */
export function readExpectedAgreement(): Agreement {
  const figures = z.object({ mAP: z.number(), 'F1@3': z.number(), 'F1@5': z.number() });
  const entry = z.object({ ZSL: figures, GZSL: figures });
  const name = 'training-free CLIP+ISR tau 0.1';
  return z.object({ [name]: entry }).parse(JSON.parse(read('expected.json')))[name];
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
