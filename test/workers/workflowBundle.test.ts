import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { workflowBundle } from '../../workers/workflowBundle.ts';

const cache = mkdtempSync(join(tmpdir(), 'c2srt-bundle-'));
afterAll(() => rmSync(cache, { recursive: true }));

test('a bundle is made once and found again; one that cannot be kept is used all the same', async () => {
  const made = await workflowBundle(cache);
  expect(made).toHaveProperty('code', expect.stringContaining('tagCorpus'));
  const files = readdirSync(join(cache, 'workflows'));
  expect(files).toHaveLength(1);
  expect(await workflowBundle(cache)).toEqual({ codePath: join(cache, 'workflows', files[0]!) });

  const blocked = join(cache, 'blocked');
  writeFileSync(blocked, '');
  expect(await workflowBundle(blocked)).toHaveProperty('code', expect.stringContaining('tagShards'));
});
