import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseCategories } from '../../data/categories.ts';
import { parseGraph } from '../../data/graphFile.ts';
import { readManifest } from '../../data/dataset/manifest.ts';
import { openStore } from '../../data/store/open.ts';
import { makeWorld } from '../../data/world/makeWorld.ts';
import { parseTruth } from '../../data/world/truthRow.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { all, failureOf, startTestS3 } from '../support/servers/s3.ts';

const ASKED = { domain: 'web', split: 'train', seed: 3, count: 505 } as const;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'c2srt-world-'));
  await makeWorld(openStore(join(dir, 'whole')), ASKED);
}, 120_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

/** SHA-256 of every file below a folder, by path. */
async function filesOf(folder: string): Promise<Record<string, string>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hashed = paths.map(async (path): Promise<[string, string]> => {
    const sha256 = createHash('sha256').update(await readFile(path));
    return [path.slice(folder.length + 1), sha256.digest('hex')];
  });
  return Object.fromEntries(await Promise.all(hashed));
}

it('makes what is missing after an interruption, with the same bytes, and nothing twice', async () => {
  const store = openStore(join(dir, 'whole'));
  const whole = await filesOf(join(dir, 'whole'));
  expect(Object.keys(whole).filter((path) => path.startsWith('images/')).length).toBe(ASKED.count);
  expect(await makeWorld(store, ASKED)).toEqual({ scenes: 505, drawn: 0 });

  await store.delete(['_SUCCESS', 'manifest.jsonl', 'truth/part-00001.jsonl', 'images/0000502.jpg']);
  expect(await makeWorld(store, ASKED)).toEqual({ scenes: 505, drawn: 5 });
  expect(await filesOf(join(dir, 'whole'))).toEqual(whole);
});

it('refuses a folder of other scenes, and says what differs', async () => {
  const asked = { ...ASKED, seed: 4, count: 600 };
  const failure = await failureOf(makeWorld(openStore(join(dir, 'whole')), asked));
  expect(failure).toMatchObject({ code: 'World.Different' });
  expect(failure.message).toContain('seed: 3 -> 4; count: 505 -> 600');
});

it('writes what the rest of c2srt reads', async () => {
  const folder = join(dir, 'whole');
  const categories = parseCategories(await readFile(join(folder, 'categories.json')), 'categories.json');
  const seen = new Set(categories.filter(({ split }) => split === 'seen').map(({ name }) => name));
  expect([categories.length, seen.size]).toEqual([191, 129]);
  expect(parseGraph(await readFile(join(folder, 'graph.json')), 'graph.json').edges.length).toBe(809);

  const manifest = join(folder, 'manifest.jsonl');
  const labelled = await all(readManifest(manifest, { kind: 'labels' }));
  const told = await all(readManifest(manifest, { kind: 'captions' }));
  const truth = parseTruth(
    (await readFile(join(folder, 'truth/part-00000.jsonl'), 'utf8')) +
      (await readFile(join(folder, 'truth/part-00001.jsonl'), 'utf8')),
  );
  expect(labelled.length).toBe(ASKED.count);
  for (const [i, { uri, labels, context }] of truth.entries()) {
    expect(labelled[i]!.uri).toBe(`${openStore(folder).uri}/${uri}`);
    expect(labelled[i]!.labels).toEqual(labels.filter((name) => seen.has(name)));
    expect(labels).toContain(context);
    expect(told[i]!.captions.length).toBeGreaterThan(0);
    expect(told[i]!.mentions.length).toBeGreaterThan(0);
  }
  // Unseen categories are there, they only are not told.
  const names = new Set(truth.flatMap(({ labels }) => labels));
  expect(
    categories.filter(({ name, split }) => split === 'unseen' && names.has(name)).length,
  ).toBeGreaterThan(55);

  const notice = await readFile(join(folder, 'NOTICE.txt'), 'utf8');
  for (const name of ['Noto Emoji', 'Mozilla', 'Microsoft', 'Apache 2.0', 'MIT'])
    expect(notice).toContain(name);
});

it('works from the command line into a bucket, with a contact sheet', async () => {
  const s3 = await startTestS3();
  try {
    const command = ['world', 'make', '--domain', 'target', '--split', 'test', '--count', '14', '--json'];
    const out = ['--out', 's3://bucket/scenes', '--contact-sheet', 'sheet.png'];
    const made = await runCli([...command, ...out], { cwd: dir, env: s3.env });
    expect(made.code, made.stderr).toBe(0);
    expect(jsonOf(made)).toEqual({ out: 's3://bucket/scenes', scenes: 14, drawn: 14 });
    const { width, height, format } = await sharp(join(dir, 'sheet.png')).metadata();
    expect({ width, height, format }).toEqual({ width: 1204, height: 204, format: 'png' });

    await makeWorld(openStore(join(dir, 'local')), { domain: 'target', split: 'test', seed: 0, count: 14 });
    expect(await filesOf(join(s3.dir, 'bucket', 'scenes'))).toEqual(await filesOf(join(dir, 'local')));

    const other = await runCli([...command, ...out, '--seed', '1'], { cwd: dir, env: s3.env });
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain('World.Different');
  } finally {
    await s3.stop();
  }
}, 120_000);

it('says what to install where the icons are not there', async () => {
  const copy = join(dir, 'installed');
  await cp('data', join(copy, 'data'), { recursive: true });
  await cp('package.json', join(copy, 'package.json'));
  await mkdir(join(copy, 'node_modules'));
  for (const name of await readdir('node_modules'))
    if (!name.startsWith('@iconify') && !name.startsWith('.'))
      await symlink(join(process.cwd(), 'node_modules', name), join(copy, 'node_modules', name));
  const script = join(copy, 'data', 'ask.ts');
  await writeFile(
    script,
    `import { openIconSets } from './world/art/iconSet.ts';
     await openIconSets('val').catch(({ code, hint }) => console.log(JSON.stringify({ code, hint })));`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: dirname(script) });
  expect(JSON.parse(stdout)).toEqual({
    code: 'World.NoArt',
    hint: 'Beside c2srt: npm install @iconify-json/emojione',
  });
});
