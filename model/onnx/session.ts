/** ONNX Runtime sessions: which provider runs a graph, and with what settings. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { Failure, messageOf } from '../../data/failure.ts';

export type Provider = 'cpu' | 'webgpu' | 'cuda';
export const PROVIDERS: readonly Provider[] = ['cuda', 'webgpu', 'cpu'];

export interface DeviceOptions {
  provider: Provider;
  /** Which GPU of the host, from 0, for CUDA; WebGPU takes the adapter that its driver offers first. Default 0. */
  deviceId?: number;
  /** CPU threads within an op. Default: all cores. */
  threads?: number;
}

export type Session = ort.InferenceSession;
export type Feeds = Record<string, ort.Tensor>;

/**
 * A session for the bytes of a graph. `folder` holds the files that its external weights name.
 * Throws `Device.Unavailable` where the provider cannot be had, `Device.OutOfMemory`, or `Onnx.Invalid`.
 */
export async function createSession(
  model: Uint8Array,
  device: DeviceOptions,
  folder?: string,
): Promise<Session> {
  const { provider, deviceId = 0, threads = availableParallelism() } = device;
  // Threads that spin between ops take the cores from the processes that decode: on 2 cores that halved throughput.
  const session: Record<string, string> = { 'intra_op.allow_spinning': '0' };
  if (folder !== undefined) session['model_external_initializers_file_folder_path'] = folder;
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders:
        provider === 'cuda' ? [{ name: 'cuda', deviceId }, 'cpu'] : [...new Set([provider, 'cpu'])],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // A pattern is a second copy of what the arena already holds: it doubled the peak of a training step.
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: { session },
    });
  } catch (error) {
    throw classifyRuntimeError(error, provider);
  }
}

/** One classifier for what ONNX Runtime throws, at session creation and in a run. */
export function classifyRuntimeError(error: unknown, provider: Provider): Failure {
  const message = messageOf(error);
  if (/out of memory|failed to allocate|bad_alloc|CUBLAS_STATUS_ALLOC_FAILED|Device lost/i.test(message)) {
    return new Failure(
      'Device.OutOfMemory',
      `The ${provider} device ran out of memory: ${firstLine(message)}`,
      { cause: error, hint: 'Lower the batch size (--batch-size).' },
    );
  }
  if (
    /backend not found|not supported|execution provider|WebGPU adapter|libcuda|libcudnn|CUDA failure/i.test(
      message,
    ) &&
    provider !== 'cpu'
  ) {
    return new Failure('Device.Unavailable', `No ${provider} device can be used: ${firstLine(message)}`, {
      cause: error,
      hint: 'Use --provider cpu, or see docs/gpu.md.',
    });
  }
  return new Failure('Onnx.Invalid', `ONNX Runtime refused the graph: ${firstLine(message)}`, {
    cause: error,
  });
}

/**
 * The provider to use where none is configured: CUDA where its library is installed and an NVIDIA device is there;
 * else CPU. WebGPU is used only where it is asked for: a software driver would be picked up silently.
 */
export function detectProvider(): Provider {
  const binding = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const library = join(
    binding,
    'bin',
    'napi-v6',
    process.platform,
    process.arch,
    'libonnxruntime_providers_cuda.so',
  );
  return existsSync(library) && existsSync('/dev/nvidiactl') ? 'cuda' : 'cpu';
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!;
}
