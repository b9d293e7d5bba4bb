/**
 * How fast `c2srt world make` draws scenes into a folder of this machine: scenes per second of wall time, and CPU time per
 * scene, which tells more on a machine that others use too. The first scenes pay for the icons' rendering, so a part is
 * drawn before the clock starts.
 *
 *     npm run bench -- scenes [--count N] [--domain web|target]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStore } from '../data/store/open.ts';
import { DOMAINS } from '../data/world/art/styles.ts';
import { makeWorld } from '../data/world/makeWorld.ts';

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string', default: '3000' },
    domain: { type: 'string' },
  },
});

const domains = DOMAINS.filter((domain) => flags.domain === undefined || domain === flags.domain);
if (domains.length === 0) throw new Error(`--domain is ${flags.domain}: expected ${DOMAINS.join(' or ')}`);
const work = await mkdtemp(join(tmpdir(), 'c2srt-scenes-'));
try {
  console.log(`load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores at the start`);
  for (const domain of domains) {
    let first: { scenes: number; atMs: number; cpu: NodeJS.CpuUsage } | undefined;
    const asked = { domain, split: 'train', seed: 0, count: Number(flags.count) } as const;
    const startMs = performance.now();
    const { scenes } = await makeWorld(openStore(join(work, domain)), asked, (drawn) => {
      first ??= { scenes: drawn, atMs: performance.now(), cpu: process.cpuUsage() };
    });
    const seconds = (performance.now() - first!.atMs) / 1000;
    const { user, system } = process.cpuUsage(first!.cpu);
    const counted = scenes - first!.scenes;
    console.log(
      `${domain}: ${(counted / seconds).toFixed(0)} scenes/s, ${((user + system) / 1000 / counted).toFixed(1)} ms of CPU each; ` +
        `the first ${first!.scenes} with the icons ${((first!.atMs - startMs) / 1000).toFixed(1)} s`,
    );
  }
  console.log(`load ${loadavg()[0]!.toFixed(1)} at the end`);
} finally {
  await rm(work, { recursive: true, force: true });
}
