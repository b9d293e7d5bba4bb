import { isFailure } from '../../../data/failure.ts';
import type { ExplainedModel } from '../../../workers/explainedModel.ts';
import type { ReportOptions } from '../report.ts';

/** Failures of a model that is not there any more: the report is then made without it. */
const DOMAINS = ['Model.', 'Hub.', 'Store.'];

/** The model that explains scores, or why there is none. */
export async function explainedModel(
  open: () => Promise<ExplainedModel>,
  { evidence }: ReportOptions,
): Promise<{ model: ExplainedModel | undefined; why: string | null }> {
  if (!evidence) return { model: undefined, why: 'The report was made with --no-evidence.' };
  try {
    return { model: await open(), why: null };
  } catch (error) {
    if (!isFailure(error) || !DOMAINS.some((domain) => isFailure(error, domain))) throw error;
    return { model: undefined, why: error.message };
  }
}
