import { isFailure, Failure } from '../data/failure.ts';
import { pinModel } from '../data/models/pinModel.ts';
import { canonicalUri, openStore } from '../data/store/open.ts';
import { cacheDir } from '../infra/programs.ts';
import { DEFAULT_HUB_MODEL, type HubProgress } from '../model/hub.ts';
import { openModelFolder } from '../model/modelFolder.ts';
import { resolveModel } from '../model/resolve.ts';

/**
 * The model that a run names: `hub:` as it is, anything else as a canonical URI, an alias of published models as the
 * version that it names now; the default where none is configured.
 */
export async function modelUri(configured: string | undefined): Promise<string> {
  const model = unpinnedModelUri(configured);
  return model.startsWith('hub:') ? model : pinModel(model, openStore);
}

/** {@link modelUri}, with an alias as it is: for what is to follow it. */
export function unpinnedModelUri(configured: string | undefined): string {
  const model = configured ?? DEFAULT_HUB_MODEL;
  return model.startsWith('hub:') ? model : canonicalUri(model);
}

/**
 * Brings a model to this machine, with progress, and opens it, so that what is wrong with it is said before a run
 * starts. Returns its folder.
 */
export async function prefetchModel(uri: string, quiet: boolean): Promise<string> {
  try {
    const dir = await resolveModel(uri, {
      cacheDir: cacheDir(),
      ...(!quiet && { onProgress: hubProgress() }),
    });
    openModelFolder(dir);
    return dir;
  } catch (error) {
    if (uri !== DEFAULT_HUB_MODEL || !isFailure(error, 'Hub.Offline')) throw error;
    throw new Failure(
      'Hub.Offline',
      'No --model was given, and the default one cannot be fetched from the hub: give --model a CLIP checkpoint folder, bring one here with `c2srt model import`, or use the bundled demo model (--model assets/demo/model).',
      { cause: error },
    );
  }
}

/** Prints a line per file and per tenth of it. */
export function hubProgress(): (progress: HubProgress) => void {
  let shown = '';
  return ({ file, fileBytes, fileSizeBytes }) => {
    const tenths = fileSizeBytes > 0 ? Math.floor((10 * fileBytes) / fileSizeBytes) : 10;
    const line = `fetching ${file}: ${10 * tenths} % of ${(fileSizeBytes / 2 ** 20).toFixed(1)} MiB`;
    if (line === shown) return;
    shown = line;
    process.stderr.write(`${line}\n`);
  };
}
