import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readVocabulary } from '../../activities/prepare.ts';
import { vocabularyKeys } from '../../data/run/layout.ts';
import { encodeSafetensors } from '../../data/safetensors.ts';
import { openStore } from '../../data/store/open.ts';
import type { ObjectStore } from '../../data/store/store.ts';

/** The same store, whose bodies are parts of larger buffers, at any offset, as those from a socket are. */
function pooled(store: ObjectStore, offset: number): ObjectStore {
  return {
    uri: store.uri,
    list: (options) => store.list(options),
    head: (key) => store.head(key),
    put: (key, body, options) => store.put(key, body, options),
    copy: (from, to) => store.copy(from, to),
    delete: (keys) => store.delete(keys),
    describeKey: (key) => store.describeKey(key),
    async get(key, options) {
      const { body, info } = await store.get(key, options);
      const pool = Buffer.alloc(offset + body.length + 100, 0x7f);
      pool.set(body, offset);
      return { body: pool.subarray(offset, offset + body.length), info };
    },
  };
}

test.each([0, 1, 6])(
  'text features are read as written from a body at offset %i of its buffer',
  async (offset) => {
    const folder = await mkdtemp(join(tmpdir(), 'c2srt-prepare-'));
    try {
      const store = openStore(folder);
      const keys = vocabularyKeys('v');
      const text = Float32Array.from({ length: 12 }, (_, i) => i / 7);
      await store.put(keys.text, encodeSafetensors({ text: { shape: [3, 4], values: text } }));
      const artifact = { model: 'm', nodes: ['a', 'b', 'c'], asked: 3, hopOffsets: [3], edges: [] };
      await store.put(keys.json, JSON.stringify(artifact));
      const { vocabulary } = await readVocabulary(pooled(store, offset), 'v');
      expect(vocabulary.text).toEqual(text);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
