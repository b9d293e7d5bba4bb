/** Both kinds of store, for tests of what lies in them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';
import { startTestS3 } from '../support/servers/s3.ts';

export interface TestStores {
  open(uri: string): ObjectStore;
  /** URI of a folder of that name. */
  at(name: string): string;
  stop(): Promise<void>;
}

export const STORES: [name: string, start: () => Promise<TestStores>][] = [
  [
    'a folder',
    async () => {
      // A name that has to be escaped in a URI.
      const dir = await mkdtemp(join(tmpdir(), 'c2srt models #'));
      return {
        open: openStore,
        at: (name) => openStore(join(dir, name)).uri,
        stop: () => rm(dir, { recursive: true, force: true }),
      };
    },
  ],
  [
    'S3',
    async () => {
      const s3 = await startTestS3();
      return {
        open: (uri) => openStore(uri, { env: s3.env }),
        at: (name) => `s3://bucket/${name}`,
        stop: s3.stop,
      };
    },
  ],
];

/** The least that publishing takes for a model; `weights` tell one from another. */
export async function putModel(store: ObjectStore, weights: string): Promise<void> {
  await store.put('model.safetensors', weights);
  await store.put('tokenizer.json', '{}');
  await store.put('MODEL_CARD.md', `# ${weights}`);
  await store.put('config.json', '{}');
}
