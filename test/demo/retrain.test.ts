/** `npm run demo:retrain` with a language model for the graph, killed in its training: a second start ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseGraph } from '../../data/graphFile.ts';
import { artifactsOf, productionIn } from '../support/runs/retrainPlace.ts';
import { until } from '../support/cli.ts';
import { DEMO_GRAPH } from '../support/demoTraining.ts';
import { startLlmServer, type LlmServer } from '../support/servers/llmServer.ts';
import { endTemporal, makeWorkplace, type Workplace } from '../support/workplace.ts';

const DEMO = fileURLToPath(new URL('../../cli/demoRetrain.ts', import.meta.url));
const STORE = 'demo-retrain/store';

let place: Workplace;
let llm: LlmServer;
beforeAll(async () => {
  place = await makeWorkplace();
  llm = await startLlmServer(parseGraph(await readFile(DEMO_GRAPH), DEMO_GRAPH).edges);
});
afterAll(async () => {
  await endTemporal(place.path('demo-retrain/temporal'));
  await place.clear();
  await llm.close();
});

function startDemo() {
  const child = spawn(process.execPath, [DEMO, '--llm', 'oracle', '--llm-base-url', llm.baseUrl], {
    cwd: place.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  return { kill: () => child.kill('SIGKILL'), ended, output: () => output };
}

it('goes on where it was killed, asks no question twice, and shows its figures', async () => {
  const first = startDemo();
  await until('a round is merged', () => first.output().includes('1 of 5 rounds done'), 240_000);
  first.kill();
  await first.ended;
  const asked = llm.calls.length;
  expect(asked).toBeGreaterThan(0);
  expect(await productionIn(place, STORE)).toBeUndefined();

  const { code, output } = await startDemo().ended;
  expect(code, output).toBe(0);
  expect(output).toContain('c2srt resume');
  expect(output).toContain('The candidate is published.');
  expect(output).toMatch(/candidate +\d+\.\d\d/);
  expect(llm.calls).toHaveLength(asked);
  for (const kind of ['snapshot', 'graph', 'train', 'evaluation'])
    expect(await artifactsOf(place, kind, STORE), kind).toHaveLength(1);
  expect(await productionIn(place, STORE)).toMatch(/^[0-9a-f]{64}$/);
}, 500_000);
