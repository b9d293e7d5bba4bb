import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { env } from 'onnxruntime-node';
import sharp from 'sharp';
import type { Provider } from '../../model/onnx/session.ts';

/** Instruction sets that ONNX Runtime's CPU kernels differ by. */
const INSTRUCTION_SETS = ['amx_tile', 'avx512_vnni', 'avx512f', 'avx2', 'sve', 'asimd'];

/**
 * What scores depend on beside plan, model and vocabulary. Equal fingerprints on the CPU provider: equal rows, bit for
 * bit; otherwise scores may differ by up to 1e-3 (docs/determinism.md).
 */
export function fingerprint(provider: Provider): Readonly<Record<string, string>> {
  const { version } = createRequire(import.meta.url)('c2srt/package.json') as { version: string };
  return {
    c2srt: version,
    onnxruntime: env.versions.node ?? env.versions.common,
    libvips: sharp.versions.vips,
    sharp: sharp.versions.sharp,
    provider,
    platform: `${platform()}-${arch()}`,
    instructions: instructionSet(),
  };
}

function instructionSet(): string {
  try {
    const flags =
      /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(/\s+/) ?? [];
    return INSTRUCTION_SETS.filter((name) => flags.includes(name)).join('+') || 'base';
  } catch {
    return 'unknown';
  }
}
