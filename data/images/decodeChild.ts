/**
 * The program of a decoding process: decodes the images of fd 3 one after the other, in order. It is a process, not a
 * thread, because a thread inside libvips can neither be stopped nor survive a crash.
 */
import { Socket } from 'node:net';
import sharp from 'sharp';
import { isFailure, messageOf } from '../failure.ts';
import { imageFailure } from './classify.ts';
import { preprocess } from './preprocess.ts';
import type { Answer, DecodeSetup } from './wire.ts';
import { encodeAnswer, FrameReader, PIPE_FD } from './wire.ts';

// Ctrl-C and a service manager's SIGTERM go to the whole group: how the decodes in flight end is for the parent to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

// One image at a time and process: the pool's size is the parallelism. The cache would only hold memory.
sharp.concurrency(1);
sharp.cache(false);
// Nothing but the readers of the formats that are sniffed, from memory: a second lock behind sniff.ts.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map(
    (loader) => `VipsForeignLoad${loader}Buffer`,
  ),
});

const setup = JSON.parse(process.argv[2]!) as DecodeSetup;
const socket = new Socket({ fd: PIPE_FD, readable: true, writable: true });
const queue: Uint8Array[] = [];
let busy = false;

// The parent is gone (or wants this process to be), even by SIGKILL. process.exit() would wait for a decode in mid-run.
const end = (): void => {
  process.kill(process.pid, 'SIGKILL');
};
socket.on('close', end);
socket.on('end', end);
socket.on('error', end);

const reader = new FrameReader((body) => {
  queue.push(body);
  if (!busy) {
    busy = true;
    work().catch(end);
  }
});
socket.on('data', (chunk: Buffer) => reader.push(chunk));
answer({ ready: true });

async function work(): Promise<void> {
  for (let body = queue.shift(); body; body = queue.shift()) answer(await decode(body));
  busy = false;
}

async function decode(body: Uint8Array): Promise<Answer> {
  try {
    return { decoded: await preprocess(body, setup.preprocess, setup.maxPixels) };
  } catch (error) {
    return { failure: isFailure(error) ? error : imageFailure('Image.Corrupt', messageOf(error)) };
  }
}

function answer(reply: Answer): void {
  socket.cork();
  for (const part of encodeAnswer(reply)) socket.write(part);
  socket.uncork();
}
