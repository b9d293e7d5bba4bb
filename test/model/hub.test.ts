import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DEFAULT_HUB_MODEL,
  fetchFromHub,
  type HubOptions,
  type HubProgress,
  parseHubUri,
} from '../../model/hub.ts';
import { commitOf, type FakeHub, startFakeHub } from './hubServer.ts';

const NAME = 'someone/clip-vit-tiny';
const WEIGHTS = randomBytes(300_000);
const companions = {
  'config.json': Buffer.from('{"model_type":"clip"}'),
  'preprocessor_config.json': Buffer.from('{"crop_size":224}'),
  'tokenizer.json': Buffer.alloc(5000, 'token '),
};
const main = {
  ...companions,
  'README.md': Buffer.from('# not needed'),
  'pytorch_model.bin': randomBytes(2000),
  'vocab.json': Buffer.from('{}'),
  'merges.txt': Buffer.from('#version'),
  'prompts.json': Buffer.from('["a photo of a {}."]'),
  'model.safetensors': WEIGHTS,
};
const wanted = [
  'config.json',
  'model.safetensors',
  'preprocessor_config.json',
  'prompts.json',
  'tokenizer.json',
];

let hub: FakeHub;
let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'c2srt-hub-'));
});
afterEach(async () => {
  await hub.close();
  await rm(cacheDir, { recursive: true });
});

async function serve(revisions: Record<string, Record<string, Buffer>>): Promise<void> {
  hub = await startFakeHub({ name: NAME, revisions });
}
function fetchIt(options: Partial<HubOptions> & { name?: string } = {}): Promise<string> {
  return fetchFromHub(options.name ?? NAME, {
    cacheDir,
    endpoint: hub.endpoint,
    token: '',
    offline: false,
    retryDelayMs: 1,
    ...options,
  });
}
/** The names under which the cache holds whole contents. */
async function blobs(): Promise<string[]> {
  return await readdir(join(cacheDir, 'models--someone--clip-vit-tiny', 'blobs'));
}
function transfers(): (string | undefined)[] {
  return hub.requests.filter(({ path }) => path.startsWith('/storage/')).map(({ range }) => range);
}

describe('fetching', () => {
  test('brings the files of a model folder, and only those, into the snapshot of the commit', async () => {
    await serve({ main });
    const folder = await fetchIt();
    expect(folder).toBe(join(cacheDir, 'models--someone--clip-vit-tiny', 'snapshots', commitOf(main)));
    expect((await readdir(folder)).sort()).toEqual(wanted);
    for (const path of wanted) {
      expect(await readFile(join(folder, path))).toEqual(main[path as keyof typeof main]);
    }
    expect((await blobs()).filter((name) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name))).toEqual([]);
  });

  test('takes vocab.json and merges.txt where there is no tokenizer.json', async () => {
    const { 'tokenizer.json': _, ...files } = main;
    await serve({ main: files });
    expect(await readdir(await fetchIt())).toEqual(expect.arrayContaining(['merges.txt', 'vocab.json']));
  });

  test('brings the shards that the index names', async () => {
    const index = {
      weight_map: {
        a: 'model-2-of-2.safetensors',
        b: 'model-1-of-2.safetensors',
        c: 'model-1-of-2.safetensors',
      },
    };
    await serve({
      main: {
        ...companions,
        'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
        'model-1-of-2.safetensors': randomBytes(3000),
        'model-2-of-2.safetensors': randomBytes(4000),
        'model-3-of-2.safetensors': randomBytes(4000),
      },
    });
    const names = await readdir(await fetchIt());
    expect(names.filter((name) => name.startsWith('model')).sort()).toEqual([
      'model-1-of-2.safetensors',
      'model-2-of-2.safetensors',
      'model.safetensors.index.json',
    ]);
  });

  test.each(['model-9.safetensors', '../../config.json', 'config.json/../config.json'])(
    'refuses an index that names %s',
    async (shard) => {
      const index = Buffer.from(JSON.stringify({ weight_map: { a: shard } }));
      await serve({ main: { ...companions, 'model.safetensors.index.json': index } });
      await expect(fetchIt()).rejects.toMatchObject({ code: 'Hub.Incomplete' });
    },
  );

  test.each(['config.json', 'tokenizer.json'] as const)(
    'a checkpoint without %s is incomplete',
    async (missing) => {
      const { [missing]: _, ...files } = { ...companions, 'model.safetensors': WEIGHTS };
      await serve({ main: files });
      await expect(fetchIt()).rejects.toMatchObject({
        code: 'Hub.Incomplete',
        message: expect.stringContaining(missing) as string,
      });
    },
  );

  test('tells of every byte, file by file, up to the whole', async () => {
    await serve({ main });
    const seen: HubProgress[] = [];
    await fetchIt({ onProgress: (progress) => seen.push(progress) });
    const sizeBytes = wanted.reduce((sum, path) => sum + main[path as keyof typeof main].byteLength, 0);
    expect(seen.at(-1)).toMatchObject({ doneBytes: sizeBytes, sizeBytes });
    expect([...new Set(seen.map(({ file }) => file))].sort()).toEqual(wanted);
    for (const [index, { doneBytes }] of seen.entries()) {
      expect(doneBytes).toBeGreaterThanOrEqual(seen[index - 1]?.doneBytes ?? 0);
    }
  });

  test('sends the token to the hub', async () => {
    await serve({ main });
    await fetchIt({ token: 'hf_secret' });
    expect(hub.requests[0]?.authorization).toBe('Bearer hf_secret');
  });
});

describe('the cache', () => {
  test('a complete commit costs no request, a branch one', async () => {
    await serve({ main });
    const folder = await fetchIt();
    hub.requests.length = 0;
    expect(await fetchIt({ revision: commitOf(main) })).toBe(folder);
    expect(hub.requests).toEqual([]);
    expect(await fetchIt()).toBe(folder);
    expect(hub.requests.map(({ path }) => path)).toEqual([`/api/models/${NAME}/revision/main`]);
  });

  test.each([
    ['switched off', () => ({ offline: true })],
    ['not there', () => ({ endpoint: 'http://127.0.0.1:9' })],
    ['limiting', () => (hub.faults.answers.push(...many(429, { 'retry-after': '3600' })), {})],
    ['failing', () => (hub.faults.answers.push(...many(503)), {})],
  ])('the commit that a branch had serves while the hub is %s', async (_, disturb) => {
    await serve({ main });
    const folder = await fetchIt();
    expect(await fetchIt(disturb())).toBe(folder);
  });

  test('a branch that moved is fetched anew; what did not change is not', async () => {
    const revisions = { main: main as Record<string, Buffer> };
    await serve(revisions);
    const before = await fetchIt();
    revisions.main = { ...main, 'config.json': Buffer.from('{"model_type":"clip","new":1}') };
    hub.requests.length = 0;
    const after = await fetchIt();
    expect(after).not.toBe(before);
    expect(await readFile(join(after, 'config.json'), 'utf8')).toContain('new');
    expect(await readFile(join(before, 'config.json'), 'utf8')).not.toContain('new');
    expect(transfers()).toEqual([]);
  });

  test('a file that was deleted or cut is fetched again', async () => {
    await serve({ main });
    const folder = await fetchIt();
    await writeFile(join(folder, 'model.safetensors'), 'cut');
    await rm(join(folder, 'config.json'));
    expect(await fetchIt()).toBe(folder);
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
    expect((await stat(join(folder, 'config.json'))).size).toBe(21);
  });

  test('two calls at once both succeed', async () => {
    await serve({ main });
    const [one, two] = await Promise.all([fetchIt(), fetchIt()]);
    expect(one).toBe(two);
    expect(await readFile(join(one, 'model.safetensors'))).toEqual(WEIGHTS);
    expect((await blobs()).filter((name) => name.includes('.'))).toEqual([]);
  });
});

describe('an interrupted transfer', () => {
  const files = { ...companions, 'tokenizer.json': Buffer.from('{}'), 'model.safetensors': WEIGHTS };
  /** Breaks the transfer once as many bytes as that have been written. */
  const breakingAt =
    (...bytes: number[]) =>
    ({ file, fileBytes }: HubProgress) => {
      if (file === 'model.safetensors' && bytes.includes(fileBytes)) hub.drop();
    };

  test('goes on where it stopped, within one call', async () => {
    await serve({ main: files });
    hub.faults.breakAfter = [100_000, 50_000];
    const folder = await fetchIt({ onProgress: breakingAt(100_000, 150_000) });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(transfers()).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  });

  test('starts over where the server knows no ranges', async () => {
    await serve({ main: files });
    hub.faults.breakAfter = [100_000];
    hub.faults.noRanges = true;
    const folder = await fetchIt({ onProgress: breakingAt(100_000) });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(WEIGHTS);
    expect(transfers()).toEqual([undefined, 'bytes=100000-']);
  });

  test('that fails for good leaves no file under its name, and the next call goes on', async () => {
    await serve({ main: files });
    hub.faults.breakAfter = [100_000, 0, 0, 0, 0, 0];
    await expect(fetchIt({ onProgress: breakingAt(100_000) })).rejects.toMatchObject({
      code: 'Hub.Unavailable',
      retryable: true,
    });
    expect((await blobs()).filter((name) => name.length === 64)).toEqual([]);
    hub.requests.length = 0;
    hub.faults.breakAfter = [];
    expect(await readFile(join(await fetchIt(), 'model.safetensors'))).toEqual(WEIGHTS);
    expect(transfers()).toEqual(['bytes=100000-']);
    expect((await blobs()).filter((name) => name.includes('.'))).toEqual([]);
  });

  test('whose beginning was damaged is fetched whole', async () => {
    await serve({ main });
    const folder = join(cacheDir, 'models--someone--clip-vit-tiny', 'blobs');
    await mkdir(folder, { recursive: true });
    const hash = createHash('sha256').update(WEIGHTS).digest('hex');
    // No process has this pid: Linux ends at 2^22.
    await writeFile(join(folder, `${hash}.99999999.1.part`), randomBytes(1000));
    expect(await readFile(join(await fetchIt(), 'model.safetensors'))).toEqual(WEIGHTS);
    expect(transfers()).toContain('bytes=1000-');
  });
});

describe('what is wrong has a code', () => {
  test.each(['model.safetensors', 'config.json'] as const)('a forged %s', async (path) => {
    await serve({ main });
    hub.faults.forged[path] = Buffer.from(main[path]).fill('x');
    await expect(fetchIt()).rejects.toMatchObject({ code: 'Hub.HashMismatch', subject: path });
    await expect(
      stat(join(cacheDir, 'models--someone--clip-vit-tiny', 'snapshots', commitOf(main), path)),
    ).rejects.toThrow();
    hub.faults.forged = {};
    expect(await readFile(join(await fetchIt(), path))).toEqual(main[path]);
  });

  test.each([
    [401, {}, 'Hub.NotFound', false],
    [404, { 'x-error-code': 'RevisionNotFound' }, 'Hub.NotFound', false],
    [401, { 'x-error-code': 'GatedRepo' }, 'Hub.Gated', false],
    [403, {}, 'Hub.Gated', false],
    [429, { 'retry-after': '3600' }, 'Hub.RateLimited', true],
    [429, { ratelimit: '"api";r=0;t=300' }, 'Hub.RateLimited', true],
    [500, {}, 'Hub.Unavailable', true],
    [400, {}, 'Hub.Unavailable', false],
  ])('status %i %o', async (status, headers, code, retryable) => {
    await serve({ main });
    hub.faults.answers.push(...many(status, headers));
    await expect(fetchIt()).rejects.toMatchObject({ code, retryable, hint: expect.any(String) as string });
  });

  test('how long to wait is passed on', async () => {
    await serve({ main });
    hub.faults.answers.push(...many(429, { ratelimit: '"api";r=0;t=300' }));
    await expect(fetchIt()).rejects.toMatchObject({ retryAfterMs: 300_000 });
  });

  test('a passing error is waited out', async () => {
    await serve({ main });
    hub.faults.answers.push({ status: 503 }, { status: 429, headers: { 'retry-after': '0' } });
    expect((await readdir(await fetchIt())).sort()).toEqual(wanted);
  });

  test('another repository, another revision', async () => {
    await serve({ main });
    await expect(fetchIt({ name: 'someone/else' })).rejects.toMatchObject({
      code: 'Hub.NotFound',
      message: expect.stringContaining('someone/else') as string,
    });
    await expect(fetchIt({ revision: 'dev' })).rejects.toMatchObject({
      code: 'Hub.NotFound',
      message: expect.stringContaining('dev') as string,
    });
  });

  test('no hub and nothing cached: one sentence and two ways out', async () => {
    await serve({ main });
    await hub.close();
    for (const options of [{}, { offline: true }, { revision: commitOf(main) }]) {
      await expect(fetchIt(options)).rejects.toMatchObject({
        code: 'Hub.Offline',
        hint: expect.stringMatching(/c2srt model import.*demo model/) as string,
      });
    }
  });
});

describe('a revision without safetensors', () => {
  const { 'model.safetensors': _, ...bare } = main;

  test('names the pull request that has them', async () => {
    await serve({
      main: bare,
      'refs/pr/1': { ...bare, 'README.md': Buffer.from('typo') },
      'refs/pr/12': main,
      'refs/pr/3': main,
    });
    await expect(fetchIt()).rejects.toMatchObject({
      code: 'Hub.NoSafetensors',
      message: expect.stringContaining('refs/pr/3') as string,
      hint: `Use hub:${NAME}@refs/pr/3.`,
    });
    expect((await readdir(await fetchIt({ revision: 'refs/pr/3' }))).sort()).toEqual(wanted);
  });

  test('names another model where no revision has them', async () => {
    await serve({ main: { ...bare, 'open_clip_model.safetensors': WEIGHTS } });
    await expect(fetchIt()).rejects.toMatchObject({
      code: 'Hub.NoSafetensors',
      message: expect.stringContaining('open_clip_model.safetensors') as string,
      hint: `Use ${DEFAULT_HUB_MODEL}.`,
    });
  });
});

describe('hub: URIs', () => {
  beforeEach(() => serve({ main }));

  test.each([
    ['hub:openai/clip', { name: 'openai/clip', revision: 'main' }],
    ['hub:openai/clip@refs/pr/3', { name: 'openai/clip', revision: 'refs/pr/3' }],
    ['hub:gpt2@v1.0', { name: 'gpt2', revision: 'v1.0' }],
    [
      DEFAULT_HUB_MODEL,
      {
        name: 'flavour/CLIP-ViT-B-16-DataComp.XL-s13B-b90K',
        revision: '0c3075a0efb729ca12cb4bb2a1275772c2343730',
      },
    ],
  ])('%s', (uri, model) => {
    expect(parseHubUri(uri)).toEqual(model);
  });

  test('nothing that is accepted leaves its folder', () => {
    const part = fc.constantFrom('a', '.', '..', '/', '\\', '@', '-', '%2e', ' ', '\0', 'refs', '?', '#');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.array(part, { maxLength: 8 }), (name, revision) => {
        try {
          const model = parseHubUri(`hub:${name.join('')}@${revision.join('')}`);
          const path = join('/cache', model.name, '/refs', model.revision);
          expect(path).toBe(`/cache/${model.name}/refs/${model.revision}`);
          expect(new URL(`http://h/${model.name}/x/${model.revision}`).pathname).toBe(
            `/${model.name}/x/${model.revision}`,
          );
        } catch (error) {
          expect(error).toMatchObject({ code: 'Hub.InvalidUri' });
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function many(status: number, headers: Record<string, string> = {}) {
  return Array.from({ length: 10 }, () => ({ status, headers }));
}
