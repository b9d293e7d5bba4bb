import type { Settings } from '../config/schema.ts';
import { Failure } from '../failure.ts';
import type { GraphControls } from './graphControls.ts';

/** The controls that the settings in force give. Throws `Config.Invalid` for a ceiling without prices. */
export function graphControls(settings: Settings): GraphControls {
  const { llmMaxCostUsd, llmInputPrice: input, llmOutputPrice: output } = settings;
  if (llmMaxCostUsd !== undefined && input === 0 && output === 0)
    throw new Failure(
      'Config.Invalid',
      `llmMaxCostUsd is ${llmMaxCostUsd}, but both prices of tokens are 0.`,
      {
        hint: 'Set llmInputPrice and llmOutputPrice: what the endpoint takes for a million tokens.',
      },
    );
  return {
    heartbeatTimeoutS: settings.heartbeatTimeoutS,
    concurrency: settings.llmConcurrency,
    batch: settings.llmBatch,
    requestsPerMinute: settings.llmRequestsPerMinute ?? null,
    tokensPerMinute: settings.llmTokensPerMinute ?? null,
    maxCostUsd: llmMaxCostUsd ?? null,
    prices: { input, output },
  };
}
