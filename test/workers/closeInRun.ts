/** Closes the inference thread while it runs a batch: `node closeInRun.ts MODEL`. Node aborts where that is done wrongly. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openModelFolder } from '../../model/modelFolder.ts';
import { startInference } from '../../workers/inference/service.ts';

const model = openModelFolder(process.argv[2]!);
const d = model.config.projection_dim;
const images = 256;
const inference = startInference({ device: { provider: 'cpu', threads: 2 }, batchSize: images });
const text = new Float32Array(8 * d).fill(d ** -0.5);
const vocabulary = { text, asked: 8, edges: [], hopOffsets: [8] };
const tagger = await inference.tagger('k', model, [vocabulary], { embedding: false });
const run = tagger.run(new Uint8Array(images * model.preprocess.cropSize ** 2 * 3));
// Long enough for the thread to have begun, too short for it to end.
const first = await Promise.race([run.then(() => 'run'), sleep(5, 'time')]);
if (first === 'run') throw new Error('the run was over before it could be closed in');
await inference.close();
await run;
console.log('closed');
