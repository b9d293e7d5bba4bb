/** `npm run demo:retrain`: retrains the bundled model on the bundled scenes, the way a schedule does every week. */
import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { isFailure, messageOf } from '../data/failure.ts';
import { retrain } from './commands/retrain.ts';
import { configFile, latestRun, writeDemoPipeline, type DemoLlm } from './demo/pipeline.ts';
import { reportRetraining } from './demo/retrainReport.ts';
import { describeError, EXIT, exitCodeOf } from './exit.ts';
import { settingsOf } from './options.ts';
import { launch } from './run/launch.ts';
import { runOfFolder } from './run/runReference.ts';

const ROOT = 'demo-retrain';
const USAGE = 'The demo knows --fresh (start over), and --llm NAME with --llm-base-url URL.';

try {
  process.exitCode = await demo();
} catch (error) {
  console.error(describeError(error));
  if (isFailure(error, 'Run.')) console.error(`To start over: npm run demo:retrain -- --fresh`);
  process.exitCode = exitCodeOf(error);
}

async function demo(): Promise<number> {
  let flags: { fresh?: boolean; llm?: string; 'llm-base-url'?: string };
  try {
    ({ values: flags } = parseArgs({
      options: {
        fresh: { type: 'boolean' },
        llm: { type: 'string' },
        'llm-base-url': { type: 'string' },
      },
    }));
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    return EXIT.usage;
  }
  const { fresh = false, llm, 'llm-base-url': baseUrl } = flags;
  if ((llm === undefined) !== (baseUrl === undefined)) {
    console.error(USAGE);
    return EXIT.usage;
  }
  if (fresh) await rm(ROOT, { recursive: true, force: true });
  // The demo is to work on its own: whatever server the shell's environment names is for other runs.
  for (const name of Object.keys(process.env))
    if (name.startsWith('TEMPORAL_')) Reflect.deleteProperty(process.env, name);
  const endpoint: DemoLlm | undefined =
    llm === undefined || baseUrl === undefined ? undefined : { llm, baseUrl };
  await writeDemoPipeline(ROOT, endpoint);
  const own = { config: configFile(ROOT), stateDir: `${ROOT}/temporal` };

  const unfinished = await latestRun(ROOT);
  let code: number;
  if (unfinished && !unfinished.isFinished) {
    const run = runOfFolder('retrain', unfinished.folder);
    console.log(`c2srt resume ${unfinished.folder}`);
    code = await launch({ json: false, settings: settingsOf(own), run: () => Promise.resolve(run) });
  } else {
    console.log(`c2srt retrain --config ${own.config}`);
    code = await retrain(own);
  }
  if (code !== EXIT.ok) {
    if (code === EXIT.interrupted) console.error('`npm run demo:retrain` goes on from there.');
    return code;
  }
  const finished = await latestRun(ROOT);
  if (finished) await reportRetraining(finished.folder);
  console.log(
    [
      '',
      'Again, with nothing new:         npm run demo:retrain',
      `What would run:                  c2srt retrain --config ${own.config} --dry-run`,
      `Where the model comes from:      c2srt lineage ${ROOT}/store/models/scenes`,
    ].join('\n'),
  );
  return EXIT.ok;
}
