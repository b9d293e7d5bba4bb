import { join } from 'node:path';
import type { TrainDependencies } from '../activities/train/dependencies.ts';
import type { Settings } from '../data/config/schema.ts';
import { openStore } from '../data/store/open.ts';
import type { ObjectStore } from '../data/store/store.ts';
import { cacheDir } from '../infra/programs.ts';
import { detectProvider, type DeviceOptions } from '../model/onnx/session.ts';
import { modelHash, resolveModel } from '../model/resolve.ts';
import { Decoders } from './decoders.ts';
import { startInference } from './inference/service.ts';

/** This process's device with its inference thread and decoders, as activities are given them. */
export interface Device {
  dependencies: Omit<TrainDependencies, 'device'>;
  /** Artifacts of this machine. */
  cache: ObjectStore;
  inference: ReturnType<typeof startInference>;
  /** Aborted where the device's thread is lost. */
  lost: AbortSignal;
  /** Waits for the inference that runs, and releases all. */
  close(): Promise<void>;
}

/** The device that settings name. */
export function deviceOptions({ provider, deviceId, threads }: Settings): DeviceOptions {
  return { provider: provider === 'auto' ? detectProvider() : provider, deviceId, threads };
}

export function openDevice(settings: Settings): Device {
  const inference = startInference({ device: deviceOptions(settings), batchSize: settings.batchSize });
  const decoders = new Decoders(settings.decodeProcesses);
  return {
    dependencies: {
      openStore,
      decoder: (preprocess, limits) => decoders.get(preprocess, limits),
      async resolveModel(uri) {
        const dir = await resolveModel(uri, { cacheDir: cacheDir() });
        return { dir, hash: await modelHash(dir) };
      },
      concurrency: settings.fetchConcurrency,
    },
    cache: openStore(join(cacheDir(), 'artifacts')),
    inference,
    lost: inference.lost,
    async close() {
      await Promise.all([inference.close(), decoders.close()]);
    },
  };
}
