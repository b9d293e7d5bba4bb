/**
 * The inference thread: one per device. A run blocks its event loop for its whole duration, which in the main thread
 * would silence Temporal's heartbeats. It is never terminated, only asked to stop: Node aborts when a thread ends in
 * the middle of a run.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isFailure, messageOf } from '../../data/failure.ts';
import { encodeCategories } from '../../model/clip/textEncoder.ts';
import { openModelFolder } from '../../model/modelFolder.ts';
import { createTagger, type Tagger } from '../../model/tagger.ts';
import { chooseBatchSize, runHalving } from './batchSize.ts';
import { trainingHandlers } from './trainingHandlers.ts';
import type { CallName, Calls, PlainFailure, Request, Response, ThreadOptions } from './protocol.ts';

const { device, batchSize } = workerData as ThreadOptions;
const port = parentPort!;
const taggers = new Map<string, Tagger>();
const training = trainingHandlers(device, batchSize);

const handlers: {
  [Name in CallName]: (parameters: Calls[Name]['parameters']) => Promise<Calls[Name]['result']>;
} = {
  ...training.handlers,

  encodeCategories: ({ modelDir, categories }) =>
    encodeCategories(openModelFolder(modelDir), categories, device),

  async openTagger({ key, modelDir, vocabularies, options }) {
    const model = openModelFolder(modelDir);
    const create = (size: number) =>
      createTagger(model, vocabularies, device, { ...options, batchSize: size });
    const tagger = await chooseBatchSize(create, { device, requested: batchSize });
    taggers.set(key, tagger);
    return { batchSize: tagger.batchSize };
  },

  runTagger: ({ key, pixels }) => runHalving(taggers.get(key)!, pixels),

  async closeTagger({ key }) {
    const tagger = taggers.get(key);
    taggers.delete(key);
    await tagger?.release();
    return undefined;
  },

  async stop() {
    for (const tagger of taggers.values()) await tagger.release();
    taggers.clear();
    await training.release();
    return undefined;
  },
};

// One call at a time: sessions share the device, and a stop must come after what was asked before it.
let queue = Promise.resolve();
port.on('message', (request: Request) => {
  queue = queue.then(() => answer(request));
});

async function answer({ id, name, parameters }: Request): Promise<void> {
  let response: Response;
  try {
    const handler = handlers[name] as (given: typeof parameters) => Promise<unknown>;
    response = { id, result: await handler(parameters) };
  } catch (error) {
    response = { id, error: plain(error) };
  }
  port.postMessage(response, 'result' in response ? transferable(response.result) : []);
  if (name === 'stop') port.close();
}

function transferable(result: unknown): ArrayBuffer[] {
  const values: unknown[] = ArrayBuffer.isView(result) ? [result] : Object.values(result ?? {});
  return values.filter((value) => ArrayBuffer.isView(value)).map(({ buffer }) => buffer as ArrayBuffer);
}

function plain(error: unknown): PlainFailure {
  if (!isFailure(error))
    return {
      code: 'Internal.Unexpected',
      message: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
    };
  const { code, message, hint, subject, retryable } = error;
  return {
    code,
    message,
    retryable,
    ...(hint !== undefined && { hint }),
    ...(subject !== undefined && { subject }),
  };
}
