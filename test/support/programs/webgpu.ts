import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where Debian's, Ubuntu's and Fedora's Chromium keep SwiftShader's Vulkan driver. */
const DRIVERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
];

/**
 * The environment in which WebGPU runs on SwiftShader, a Vulkan driver for CPUs; undefined where it is not installed.
 * It must be a child process's: the loader reads it when the process starts.
 */
export function softwareWebGpu(): NodeJS.ProcessEnv | undefined {
  const driver = DRIVERS.find((path) => existsSync(path));
  if (driver === undefined) return undefined;
  return {
    ...process.env,
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
    XDG_RUNTIME_DIR: mkdtempSync(join(tmpdir(), 'c2srt-webgpu-')),
    // Beside the driver lies the Vulkan loader that it came with.
    LD_LIBRARY_PATH: [dirname(driver), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
  };
}
