import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Answer, DecodeSetup } from './wire.ts';
import { decodeAnswer, FrameReader, frameLength, PIPE_FD } from './wire.ts';

const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './decodeChild.ts' : './decodeChild.js', import.meta.url),
);
const STDERR_KEPT_CHARACTERS = 2000;

/** What a {@link DecodeProcess} tells its owner. */
export interface DecodeProcessEvents {
  onAnswer(answer: Answer): void;
  /** Once, after its last answer. `how` says what ended it: `SIGKILL`, `exit code 134`, and what it said last. */
  onEnd(how: string): void;
}

/** One decoding process. Images are answered in the order in which they were sent. */
export class DecodeProcess {
  readonly #child: ChildProcess;
  readonly #socket: Duplex | undefined;
  #stderr = '';

  constructor(setup: DecodeSetup, events: DecodeProcessEvents) {
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(setup)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C reaches the parent only, also before the child's handlers are in place.
      detached: true,
    });
    let startError = '';
    this.#child.on('error', (error) => {
      startError = error.message;
      // A process that could not be started never emits 'close' on every platform; this says it is over.
      if (this.#child.pid === undefined) events.onEnd(startError);
    });
    // 'close', not 'exit': it comes after everything that the process wrote was read.
    this.#child.on('close', (code, signal) => {
      if (this.#child.pid === undefined) return;
      const said = this.#stderr.trim();
      events.onEnd((signal ?? `exit code ${String(code)}`) + (said === '' ? '' : `: ${said}`));
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT_CHARACTERS);
    });
    this.#socket = this.#child.stdio[PIPE_FD] as Duplex | undefined;
    const reader = new FrameReader((frame) => events.onAnswer(decodeAnswer(frame)));
    this.#socket?.on('data', (chunk: Buffer) => reader.push(chunk));
    // A write to a process that has died fails; its end is reported above.
    this.#socket?.on('error', () => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Queues an image. `body` must not change until it is answered. */
  send(body: Uint8Array): void {
    this.#socket?.cork();
    this.#socket?.write(frameLength(body.length));
    this.#socket?.write(body);
    this.#socket?.uncork();
  }

  /** SIGKILL: nothing gentler interrupts a decode. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
