/** Whether a candidate may take the place of the model in production, by rules on the figures of its evaluation. */
import type { GateRule } from '../../data/config/evaluateSchema.ts';
import type { EvaluationMetrics, Interval } from '../../data/evaluation/metricsFile.ts';
import type { Group } from '../../data/evaluation/systems.ts';
import { Failure } from '../../data/failure.ts';

/** What became of one rule; figures in percent, bounds and intervals of differences in points. */
export interface RuleResult {
  rule: GateRule;
  passed: boolean;
  /** What was judged: the candidate's figure, or its difference to the other system; null where there was nothing to judge. */
  figure: number | null;
  /** The least that it, or the lower end of its interval, had to be. */
  bound: number | null;
  interval: { low: number; high: number } | null;
  /** A sentence for people. */
  why: string;
}

export interface GateResult {
  passed: boolean;
  rules: RuleResult[];
}

const GROUP_NAMES: Readonly<Record<Group, string>> = {
  unseen: 'unseen categories',
  all: 'all categories',
  seen: 'seen categories',
};

/**
 * Judges a candidate. With `paired-bootstrap` a rule asks for evidence that the candidate is not worse than the tolerance
 * (non-inferiority): the lower end of the interval must not be below the bound. A rule about a system or a group that the
 * evaluation does not have passes, and says so: the first model has nothing to be compared with.
 *
 * @throws Failure `Gate.Figure` for a K that was not evaluated
 */
export function judge(rules: readonly GateRule[], metrics: EvaluationMetrics): GateResult {
  const results = rules.map((rule) => judgeRule(rule, metrics));
  return { passed: results.every(({ passed }) => passed), rules: results };
}

function judgeRule(rule: GateRule, metrics: EvaluationMetrics): RuleResult {
  const { metric, categories, against, tolerance, test } = rule;
  requireFigure(metric, metrics);
  const name = `${metric} on ${GROUP_NAMES[categories]}`;
  const nothing = (why: string): RuleResult => ({
    ...{ rule, passed: true, figure: null, bound: null, interval: null },
    why: `${name}: not judged, as ${why}.`,
  });
  const own = metrics.systems.candidate?.groups[categories]?.figures[metric];
  if (own === undefined) return nothing(`there are no ${GROUP_NAMES[categories]}`);
  const isMinimum = typeof against === 'number';
  const judged = isMinimum ? own : metrics.differences[against]?.[categories]?.[metric];
  if (judged === undefined)
    return nothing(
      against === 'production'
        ? 'no model is in production'
        : `${String(against)} was not evaluated (evaluate.baselines)`,
    );

  const bound = (isMinimum ? against : 0) - tolerance;
  const least = test === 'paired-bootstrap' ? judged.low : judged.value;
  const passed = least >= bound;
  const other = isMinimum ? undefined : metrics.systems[against]?.groups[categories]?.figures[metric];
  const compared = isMinimum
    ? `${figureText(own, test)}, must be at least ${bound.toFixed(2)}`
    : `${own.value.toFixed(2)} against ${other?.value.toFixed(2) ?? '?'} of ${against}, ${pointsText(judged, test)}; must not be below ${bound.toFixed(2)}`;
  const verdict = passed ? 'passed' : failureText(rule, judged, bound, metrics);
  return {
    ...{ rule, passed, figure: judged.value, bound, interval: { low: judged.low, high: judged.high } },
    why: `${name}: ${compared}: ${verdict}.`,
  };
}

/** Worse, or not enough images to say: what to do about it differs. */
function failureText(
  { test }: GateRule,
  { value, low, high }: Interval,
  bound: number,
  { images, bootstrap }: EvaluationMetrics,
): string {
  if (test === 'difference' || high < bound) return 'failed';
  const share = `${(100 * bootstrap.confidence).toFixed(0)} %`;
  const needed = value > bound ? Math.ceil(images * ((value - low) / (value - bound)) ** 2) : null;
  const advice = needed === null ? '' : ` (about ${needed} would, if the figure stays)`;
  return `failed, as ${images} images do not show it with ${share} confidence${advice}`;
}

const intervalText = ({ low, high }: Interval): string => `${low.toFixed(2)} to ${high.toFixed(2)}`;

const figureText = (own: Interval, test: GateRule['test']): string =>
  own.value.toFixed(2) + (test === 'paired-bootstrap' ? ` (${intervalText(own)})` : '');

const pointsText = (judged: Interval, test: GateRule['test']): string =>
  `${judged.value >= 0 ? '+' : ''}${judged.value.toFixed(2)} points` +
  (test === 'paired-bootstrap' ? ` (${intervalText(judged)})` : '');

function requireFigure(metric: GateRule['metric'], { topK }: EvaluationMetrics): void {
  if (metric === 'mAP' || topK.some((k) => metric === `F1@${k}`)) return;
  throw new Failure('Gate.Figure', `The gate asks for ${metric}, which was not evaluated.`, {
    hint: `evaluate.topK is ${topK.join(', ')}: add the K of the rule.`,
  });
}
