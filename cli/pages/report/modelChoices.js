/** Parts of a model's report that answer to a choice: reliability, and precision and recall at any threshold. */
(() => {
  'use strict';
  const { chart, el, field, figures, format, legend, name, note, series } = report;

  /** `reliability`: by group of categories, as an evaluation has it. */
  report.reliabilityDiagram = (reliability) => {
    const named = Object.keys(reliability);
    const choice = el(
      'select',
      { id: 'reliability-group' },
      named.map((group) => el('option', { value: group, selected: group === 'all' }, figures.groups[group])),
    );
    const own = () => reliability[choice.value];
    const said = el('p', { class: 'note', role: 'status' });
    const tell = () => {
      const { precision, recall, f1, ece } = own();
      said.textContent = `Calibration error ${format.fixed(ece, 4)}. Tags by thresholds: precision ${format.fixed(precision, 1)}, recall ${format.fixed(recall, 1)}, F1 ${format.fixed(f1, 1)} percent.`;
    };
    const drawn = chart(
      'Share of images with the category, by calibrated score; on the line the score is right',
      () =>
        own()
          .reliability.map(
            ({ score, positives, pairs }) =>
              `${format.fixed(score, 2)}: ${format.fixed(positives, 2)} of ${pairs}`,
          )
          .join('; '),
      (width) => ({
        height: Math.min(420, width * 0.7),
        x: { label: 'calibrated score', domain: [0, 1] },
        y: { label: 'share of positives', domain: [0, 1], grid: true },
        r: { range: [2, 14] },
        marks: [
          Plot.link([0], { x1: 0, y1: 0, x2: 1, y2: 1, stroke: 'var(--muted)', strokeDasharray: '4 4' }),
          Plot.lineY(own().reliability, { x: 'score', y: 'positives', stroke: 'var(--accent)' }),
          Plot.dot(own().reliability, {
            x: 'score',
            y: 'positives',
            r: 'pairs',
            fill: 'var(--accent)',
            fillOpacity: 0.6,
          }),
        ],
      }),
    );
    choice.addEventListener('input', () => {
      drawn.redraw();
      tell();
    });
    tell();
    return [
      field('reliability-group', 'Categories', choice),
      said,
      drawn,
      note('Larger dots are of more pairs of an image and a category.'),
    ];
  };

  /** `thresholds`: images by score, of each category; `scope` says what they were counted on. */
  report.thresholdExplorer = ({ thresholds, perCategory, scope }) => {
    const { edges, present, absent } = thresholds;
    const splits = new Map((perCategory ?? []).map((row, at) => [at, row.split]));
    const members = (value) => {
      if (value.startsWith('c')) return [Number(value.slice(1))];
      return present.map((_, at) => at).filter((at) => value === 'all' || splits.get(at) === value);
    };
    const has = (split) => [...splits.values()].includes(split);
    const choice = el(
      'select',
      { id: 'threshold-of' },
      el('option', { value: 'all' }, 'All categories together'),
      ['seen', 'unseen']
        .filter(has)
        .map((split) =>
          el('option', { value: split }, `${split[0].toUpperCase()}${split.slice(1)} categories together`),
        ),
      present
        .map((_, at) => [name(at), at])
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([text, at]) => el('option', { value: `c${at}` }, text)),
    );
    const slider = el('input', { id: 'threshold', type: 'range', min: 0, max: edges.length - 2, step: 1 });
    const said = el('p', { role: 'status', class: 'threshold-says' });
    const own = (at) => perCategory?.[at]?.tagging?.threshold;

    let curve = [];
    function count() {
      const chosen = members(choice.value);
      const sum = (counts, bin) => chosen.reduce((total, at) => total + counts[at][bin], 0);
      let [hits, tags] = [0, 0];
      const all = edges.slice(1).reduce((total, _, bin) => total + sum(present, bin), 0);
      curve = [];
      for (let bin = edges.length - 2; bin >= 0; bin--) {
        const right = sum(present, bin);
        hits += right;
        tags += right + sum(absent, bin);
        const precision = tags === 0 ? null : hits / tags;
        const recall = all === 0 ? null : hits / all;
        curve[bin] = {
          threshold: edges[bin],
          precision,
          recall,
          f1: tags + all === 0 ? null : (2 * hits) / (tags + all),
          hits,
          tags,
          all,
        };
      }
    }
    const highest = () =>
      curve.reduce((best, point, at) => ((point.f1 ?? 0) > (curve[best].f1 ?? 0) ? at : best), 0);
    const lines = ['precision', 'recall', 'f1'];
    const drawn = chart(
      null,
      () => {
        const { threshold, f1 } = curve[highest()];
        return `Precision, recall and F1 by threshold; F1 is highest, ${format.share(f1 ?? 0)}, at ${format.score(threshold)}.`;
      },
      () => ({
        height: 260,
        x: {
          label: 'threshold on the written score',
          domain: [0, curve.length - 1],
          tickFormat: (bin) => format.score(edges[bin]),
        },
        y: { label: null, domain: [0, 1], grid: true, tickFormat: '.0%' },
        marks: [
          ...lines.map((figure, at) => {
            const { stroke, dash } = series(at);
            return Plot.lineY(
              curve.filter((point) => point[figure] !== null),
              { x: 'threshold', y: figure, stroke, strokeDasharray: dash },
            );
          }),
          Plot.ruleX([Number(slider.value)], { stroke: 'var(--text)' }),
        ],
      }),
    );
    function tell() {
      const { threshold, precision, recall, f1, hits, tags, all } = curve[Number(slider.value)];
      const fitted = choice.value.startsWith('c') ? own(Number(choice.value.slice(1))) : undefined;
      said.textContent =
        `At ${format.score(threshold)}: precision ${format.share(precision ?? NaN)}, recall ${format.share(recall ?? NaN)}, F1 ${format.share(f1 ?? NaN)}; ` +
        `${format.whole(hits)} of ${format.whole(tags)} tags are right, of ${format.whole(all)} labels.` +
        (fitted === undefined ? '' : ` The fitted threshold is ${format.score(fitted)}.`);
      slider.setAttribute('aria-valuetext', format.score(threshold));
      drawn.redraw();
    }
    function choose() {
      count();
      slider.value = String(highest());
      tell();
    }
    choice.addEventListener('input', choose);
    slider.addEventListener('input', tell);
    count();
    slider.value = String(highest());
    tell();
    return [
      note(scope),
      el('div', { class: 'filters' }, field('threshold-of', 'Categories', choice)),
      field('threshold', 'Threshold', slider),
      said,
      legend(['Precision', 'Recall', 'F1']),
      drawn,
    ];
  };
})();
