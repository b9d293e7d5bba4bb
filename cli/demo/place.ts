import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { isFailure } from '../../data/failure.ts';
import { SUCCESS } from '../../data/run/layout.ts';
import { ensureBucket, openStore } from '../../data/store/open.ts';
import { startLocalS3 } from '../../infra/s3.ts';
import { DEMO } from './assets.ts';

/** Buckets of the local S3 server. */
const SCENES = 's3://scenes';
const RUNS = 's3://runs';
/** The run's prefix in its bucket. */
const RUN = 'demo';
const CONCURRENT_PUTS = 16;

/** Where the demo's scenes and its run are. */
export interface DemoPlace {
  source: string;
  out: string;
  /** The folder on this machine that holds the run's files. */
  folder: string;
  stop(): Promise<void>;
}

/**
 * Where the run can lie: in a bucket, which the S3 server keeps as a folder with a file for each object, so that anyone
 * can read them; or, where no S3 server was to be had, in a folder.
 */
const runFolders = (root: string): [string, string] => [
  join(root, 's3', 'runs', RUN),
  join(root, 'runs', RUN),
];

/** The folder of a demo run that is finished already. */
export const finishedRun = (root: string): string | undefined =>
  runFolders(root).find((folder) => existsSync(join(folder, SUCCESS)));

/**
 * Starts the local S3 server on a folder in `root` and puts the scenes into a bucket of it; where no server can be had,
 * says so and takes them from their folder.
 */
export async function openDemoPlace(root: string): Promise<DemoPlace> {
  const [inBucket, inFolder] = runFolders(root);
  let server;
  try {
    server = await startLocalS3({
      dir: join(root, 's3'),
      onProgress: console.error,
      outlivesInterrupt: true,
    });
  } catch (error) {
    if (!isFailure(error, 'Setup.S3Unavailable')) throw error;
    console.log(`${error.message} The demo uses a folder instead of a bucket.`);
    return { source: DEMO.scenes, out: inFolder, folder: inFolder, stop: () => Promise.resolve() };
  }
  try {
    for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'C2SRT_S3_PATH_STYLE'])
      Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, server.env);
    await ensureBucket(SCENES);
    await ensureBucket(RUNS);
    const { put, there } = await putScenes();
    console.log(
      `S3 server at ${server.endpoint}: put ${put} scenes into ${SCENES}${there > 0 ? `; ${there} were there` : ''}.`,
    );
    return { source: SCENES, out: `${RUNS}/${RUN}`, folder: inBucket, stop: server.stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Puts those scenes that are not there yet. */
async function putScenes(): Promise<{ put: number; there: number }> {
  const store = openStore(SCENES);
  const there = new Set<string>();
  for await (const { key } of store.list()) there.add(key);
  const missing = (await readdir(DEMO.scenes)).filter((name) => !there.has(name));
  await pMap(missing, async (name) => store.put(name, await readFile(join(DEMO.scenes, name))), {
    concurrency: CONCURRENT_PUTS,
  });
  return { put: missing.length, there: there.size };
}
