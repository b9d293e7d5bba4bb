/** `c2srt graph` from the command line, on the real Temporal server and a real server of the OpenAI protocol. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startOrAttachTemporal, type LocalTemporal } from '../../infra/temporal.ts';
import type { GraphEdge } from '../../data/graphFile.ts';
import { MAX_INCOMING } from '../../model/graph/strongest.ts';
import { jsonOf, runCli, type CliResult } from '../support/cli.ts';
import {
  buildArgs,
  builtGraph,
  DEMO_GRAPH,
  manifestOf,
  startOracle,
  writeCategories,
} from '../support/runs/graphBuilds.ts';
import { writeCorpus } from '../support/corpus.ts';
import { writeTrainedModel } from '../support/headModel.ts';
import { callsByCategory, type LlmServer } from '../support/servers/llmServer.ts';
import { TINY_MODEL } from '../support/slowModel.ts';
import { makeWorkplace, type Workplace } from '../support/workplace.ts';

const KEY = 'a-secret-of-this-test';

let place: Workplace;
let temporal: LocalTemporal;
let server: LlmServer;
let names: string[];
beforeAll(async () => {
  place = await makeWorkplace();
  // Commands attach to this server instead of starting one each.
  temporal = await startOrAttachTemporal({ dir: place.path('.c2srt') });
  names = await writeCategories(place, 'thirty.json', 30);
  await writeCategories(place, 'more.json', 35);
});
beforeEach(async () => {
  server = await startOracle();
  return () => server.close();
});
afterAll(async () => {
  await temporal.stop();
  await place.clear();
});

const run = (...args: string[]): Promise<CliResult> =>
  runCli(args, { cwd: place.dir, env: { OPENAI_API_KEY: KEY } });

it('asks a language model once per category, and five times for five more', async () => {
  const args = buildArgs(
    server,
    'thirty.json',
    'out',
    '--llm-cache',
    'answers',
    '--llm-input-price',
    '1',
    '--json',
  );
  const first = await run(...args);
  expect(first.code, first.stderr).toBe(0);
  const summary = jsonOf(first);
  expect(summary).toMatchObject({
    ...{ categories: 30, calls: 30, cached: 0, fallbacks: 0, costUsd: 0.003 },
    tokens: { input: 3000, output: 1500 },
  });
  expect(callsByCategory(server)).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
  expect(server.calls.every(({ authorization }) => authorization === `Bearer ${KEY}`)).toBe(true);

  const { edges } = await builtGraph(place.path('out'));
  expect(summary['edges']).toBe(edges.length);
  const known = new Set(DEMO_GRAPH.edges.map((edge) => JSON.stringify(Object.values(edge).slice(0, 3))));
  const manifest = (await manifestOf(place.path('out'))) as { linkedBy: Record<string, string[]> };
  const linked = Object.values(manifest.linkedBy).flat();
  for (const { source, target, relation } of edges)
    expect(known.has(JSON.stringify([source, target, relation])) || linked.includes(target)).toBe(true);
  const incoming = Map.groupBy(edges, ({ target }) => target);
  for (const [, into] of incoming) expect(into.length).toBeLessThanOrEqual(MAX_INCOMING);
  // Every category has an edge from a seen one, by answers, WordNet or the text space.
  expect(incoming.size).toBe(30);
  expect(manifest).toMatchObject({
    provider: { kind: 'llm', model: 'oracle', promptVersion: 1 },
    withoutSeen: [],
    fallbacks: [],
  });

  const again = await run(...args);
  expect(jsonOf(again)).toEqual({ ...summary, seconds: 0 });
  const status = await run('status', './out', '--json');
  expect(jsonOf(status)).toMatchObject({ kind: 'graph', state: 'finished', calls: 30, callsDone: 30 });
  expect(server.calls).toHaveLength(30);

  const more = await run(...buildArgs(server, 'more.json', 'more', '--llm-cache', 'answers', '--json'));
  expect(more.code, more.stderr).toBe(0);
  expect(jsonOf(more)).toMatchObject({ categories: 35, calls: 5, cached: 30 });
  expect(server.calls).toHaveLength(35);

  const shown = await run('graph', 'show', 'more', '--category', names[0]!);
  expect(shown.stdout).toMatch(new RegExp(`^${names[0]!}: \\d+ edges into it, \\d+ from it\n`));
  const json = jsonOf(await run('graph', 'show', './more/graph.json', '--json'));
  expect(json['edges']).toEqual((await builtGraph(place.path('more'))).edges);
}, 240_000);

it('builds from WordNet without asking anybody, and from a file by the same rules', async () => {
  const built = await run('graph', 'build', '--categories', 'thirty.json', '--out', 'wordnet', '--json');
  expect(jsonOf(built)).toMatchObject({
    categories: 30,
    calls: 0,
    tokens: { input: 0, output: 0 },
    costUsd: 0,
  });

  const [a, b] = names as [string, string];
  const edges = [
    { source: a, target: b, relation: 'is-a', strength: 0.9 },
    { source: b, target: a, relation: 'is-a', strength: 0.8 },
    { source: 'something else', target: a, relation: 'is-a', strength: 0.8 },
  ];
  await writeFile(place.path('edited.json'), JSON.stringify({ edges }));
  await writeFile(place.path('file.yaml'), 'graph: { provider: file, file: edited.json }\n');
  const filed = await run(
    'graph',
    'build',
    '--categories',
    'thirty.json',
    '--out',
    'filed',
    '--config',
    'file.yaml',
  );
  expect(filed.code, filed.stderr).toBe(0);
  expect(filed.stdout).toMatch(/Graph: {4}1 edges among 30 categories\n/);
  expect((await builtGraph(place.path('filed'))).edges).toEqual([edges[0]]);
  expect(await manifestOf(place.path('filed'))).toMatchObject({
    dropped: { 'circular-is-a': 1, 'other-category': 1 },
  });
  expect(server.calls).toEqual([]);
}, 240_000);

it('tags with links that a language model makes for what the model was not trained on, asked for once', async () => {
  const [trained, linked, unlinked, fresh] = names as [string, string, string, string];
  const own: GraphEdge = { source: trained, target: linked, relation: 'functional', strength: 0.5 };
  writeTrainedModel(place.path('model'), { categories: [trained], edges: [own], head: true });
  await writeFile(place.path('asked.json'), JSON.stringify([trained, linked, unlinked, fresh]));
  await writeCorpus(place.path('images'), 6, 0);
  await writeFile(
    place.path('tag.yaml'),
    `graph: { provider: llm, llm: oracle }\nllmBaseUrl: ${server.baseUrl}\nllmCache: answers-of-tag\n`,
  );
  const tag = (out: string): Promise<CliResult> =>
    run(
      ...['tag', 'images', '--categories', 'asked.json', '--out', out, '--model', 'model'],
      ...['--config', 'tag.yaml', '--json'],
    );
  const first = await tag('tags');
  expect(first.code, first.stderr).toBe(0);
  expect(jsonOf(first)).toMatchObject({ images: 6, tagged: 6 });
  expect(callsByCategory(server)).toEqual({ [unlinked]: 1, [fresh]: 1 });
  const { edges } = await builtGraph(place.path('tags', '_graph'));
  expect(edges[0]).toEqual(own);
  expect(new Set(edges.slice(1).map(({ target }) => target))).toEqual(new Set([unlinked, fresh]));

  expect(jsonOf(await tag('again'))).toMatchObject({ tagged: 6 });
  expect(server.calls).toHaveLength(2);
}, 240_000);

it('links the categories of each vocabulary that has no graph of its own, in a run of its own', async () => {
  const [trained, ...others] = names.slice(5, 10) as [string, string, string, string, string];
  const own: GraphEdge = { source: trained, target: others[0], relation: 'functional', strength: 0.5 };
  writeTrainedModel(place.path('model-of-several'), { categories: [trained], edges: [own], head: true });
  for (const [i, name] of ['a', 'b', 'c'].entries())
    await writeFile(place.path(`${name}.json`), JSON.stringify([trained, others[i + 1]]));
  await writeFile(place.path('given.json'), JSON.stringify({ edges: [] }));
  await writeCorpus(place.path('few-images'), 3, 0);
  await writeFile(
    place.path('several.yaml'),
    `graph: { provider: llm, llm: oracle }\nllmBaseUrl: ${server.baseUrl}\n`,
  );
  const result = await run(
    ...['tag', 'few-images', '--categories', 'a.json', '--categories', 'b.json', '--categories', 'c.json'],
    ...['--graph', 'b=given.json', '--out', 'several', '--model', 'model-of-several'],
    ...['--config', 'several.yaml', '--json'],
  );
  expect(result.code, result.stderr).toBe(0);
  expect(callsByCategory(server)).toEqual({ [others[1]]: 1, [others[3]]: 1 });
  for (const [name, asked] of [
    ['a', others[1]],
    ['c', others[3]],
  ] as const) {
    const { edges } = await builtGraph(place.path('several', '_graph', name));
    expect(new Set(edges.slice(1).map(({ target }) => target))).toEqual(new Set([asked]));
  }
  expect(existsSync(place.path('several', '_graph', 'b'))).toBe(false);
}, 240_000);

it.each([
  ['no model is named', ['--provider', 'llm'], /graph\.llm .*name the language model/],
  ['a ceiling has no prices', ['--llm-max-cost-usd', '1'], /both prices of tokens are 0/],
  [
    'labels are given to a language model',
    ['--provider', 'llm', '--llm', 'x', '--labels', 'out'],
    /--labels says nothing/,
  ],
  ['labels are of no training', ['--labels', 'nowhere'], /nowhere holds no run/],
  ['the model is not there', ['--extend', '--model', 'nowhere'], /nowhere/],
])('where %s, it is said before anything is written', async (_, flags, message) => {
  const result = await run(
    ...['graph', 'build', '--categories', 'thirty.json', '--out', 'nothing', '--model', TINY_MODEL, ...flags],
  );
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(message);
  expect(existsSync(place.path('nothing'))).toBe(false);
});
