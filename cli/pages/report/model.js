/** The report of a model. */
(() => {
  'use strict';
  const {
    chart,
    data,
    el,
    facts,
    field,
    figures,
    format,
    gallery,
    imagesSaid,
    legend,
    name,
    note,
    reliabilityDiagram,
    section,
    series,
    table,
    thresholdExplorer,
  } = report;
  const { course, metrics, perCategory, thresholds, confusions, scored } = data;
  const evaluate = `c2srt evaluate --data test.jsonl --validation val.jsonl --categories categories.json --model ${data.model ?? 'MODEL'} --out EVALUATION`;
  const made = (what, command) => note(`${what} `, el('code', {}, command), '.');
  const sample = scored
    ? `On ${format.whole(scored.images)} of ${format.whole(scored.of)} test images, scored again for this page.`
    : null;
  const unscored = () =>
    data.evaluation === null
      ? made('There is no evaluation. One is made by', evaluate)
      : note(`The test images were not scored again: ${data.withoutEvidence}`);

  const candidate = metrics?.systems.find((system) => system.name === 'candidate');
  const best = (group, figure) => candidate?.groups[group]?.figures[figure];
  section(
    'about',
    'About',
    metrics
      ? facts([
          best('unseen', 'mAP')
            ? ['Unseen mAP', format.fixed(best('unseen', 'mAP').value, 1), 'ZSL, percent']
            : null,
          ['All mAP', format.fixed(best('all', 'mAP').value, 1), 'GZSL, percent'],
          [
            `All F1@${metrics.topK[0]}`,
            format.fixed(best('all', `F1@${metrics.topK[0]}`).value, 1),
            'percent',
          ],
          ['Test images', format.whole(metrics.images)],
          ['Categories', format.whole(candidate.groups.all.categories)],
        ])
      : null,
    el(
      'dl',
      { class: 'about' },
      [
        ['Model', data.model],
        ['Evaluation', data.evaluation],
        metrics ? ['Tested on', metrics.test.uri] : null,
        metrics?.validation ? ['Calibrated on', metrics.validation.uri] : null,
      ]
        .filter((entry) => entry?.[1])
        .flatMap(([title, text]) => [el('dt', {}, title), el('dd', {}, text)]),
    ),
  );

  // Loss and validation, by round.
  if (course && course.rounds.length > 0) {
    const losses = course.rounds;
    const validations = course.validations.flatMap(({ round, metrics: groups }) =>
      Object.entries(groups).flatMap(([group, values]) =>
        'mAP' in values ? [{ round, group, value: values.mAP }] : [],
      ),
    );
    const named = [...new Set(validations.map(({ group }) => group))];
    const lastLoss = losses.at(-1).loss;
    section(
      'training',
      'Training',
      chart(
        'Loss by round',
        `The loss goes from ${format.figure(losses[0].loss)} to ${format.figure(lastLoss)} over ${losses.length} rounds.`,
        () => ({
          height: 220,
          x: { label: 'round', ticks: Math.min(10, losses.length), tickFormat: 'd' },
          y: { label: 'loss', grid: true, zero: false, tickFormat: format.figure },
          marks: [
            Plot.lineY(losses, { x: 'round', y: 'loss', stroke: 'var(--accent)' }),
            losses.length <= 60
              ? Plot.dot(losses, { x: 'round', y: 'loss', r: 2.5, fill: 'var(--accent)' })
              : null,
          ],
        }),
      ),
      named.length > 0 ? legend(named) : null,
      named.length > 0
        ? chart(
            'mAP on the images held back, percent',
            named
              .map((group) => {
                const own = validations.filter((entry) => entry.group === group);
                return `${group}: from ${format.fixed(own[0].value, 1)} to ${format.fixed(own.at(-1).value, 1)}`;
              })
              .join('; '),
            () => ({
              height: 220,
              x: { label: 'round', ticks: Math.min(10, losses.length), tickFormat: 'd' },
              y: { label: 'mAP', grid: true, zero: false },
              marks: named.flatMap((group, at) => {
                const own = validations.filter((entry) => entry.group === group);
                const { stroke, dash } = series(at);
                return [
                  Plot.lineY(own, { x: 'round', y: 'value', stroke, strokeDasharray: dash }),
                  Plot.dot(own, { x: 'round', y: 'value', r: 2.5, fill: stroke }),
                ];
              }),
            }),
          )
        : null,
    );
  } else
    section(
      'training',
      'Training',
      made(
        'No training of this model is known here. One is started by',
        'c2srt train --data labels.jsonl --model CHECKPOINT --categories categories.json --out MODEL',
      ),
    );

  // Figures of all systems.
  if (metrics) {
    const shown = ['mAP', ...metrics.topK.map((k) => `F1@${k}`)];
    const confidence = format.share(metrics.bootstrap.confidence);
    section(
      'figures',
      'Figures',
      note(
        `Percent, with intervals of ${confidence} from ${format.whole(metrics.bootstrap.resamples)} bootstrap samples of the images. A gain is the candidate’s, on the same samples; it is coloured where its interval leaves out zero. Images without a positive label are ${metrics.withoutPositives} for F1.`,
      ),
      Object.entries(figures.groups).flatMap(([group, title]) => {
        const rows = metrics.systems.filter(({ groups }) => groups[group]);
        if (rows.length === 0) return [];
        return [
          table({
            caption: `${title}: ${candidate.groups[group].categories} categories, ${candidate.groups[group].categoriesWithPositives} of them present in a test image`,
            columns: [
              {
                title: 'System',
                value: (system) => metrics.systems.indexOf(system),
                cell: (system) => system.name,
              },
              ...shown.flatMap((figure) => [
                {
                  title: figure,
                  kind: 'number',
                  value: ({ groups }) => groups[group].figures[figure].value,
                  cell: ({ groups }) => figures.interval(groups[group].figures[figure]),
                },
                {
                  title: 'Candidate’s gain',
                  kind: 'number',
                  value: (system) => metrics.differences[system.name]?.[group]?.[figure]?.value ?? null,
                  cell: (system) => figures.difference(metrics.differences[system.name]?.[group]?.[figure]),
                },
              ]),
            ],
            rows,
          }),
        ];
      }),
    );
  } else
    section(
      'figures',
      'Figures',
      made('There is no evaluation of this model here. One is made by', evaluate),
    );

  // Average precision by category.
  if (perCategory) {
    const systems = metrics.systems.map((system) => system.name);
    const filter = el('input', {
      id: 'category-filter',
      type: 'search',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    const rows = table({
      caption: 'Average precision by category, percent',
      columns: [
        { title: 'Category', value: (row) => row.name },
        { title: 'Split', value: ({ split }) => split },
        { title: 'Images with it', kind: 'number', value: ({ positives }) => positives },
        ...systems.map((system) => ({
          title: system,
          kind: 'number',
          value: ({ ap, positives }) => (positives > 0 ? (ap[system]?.value ?? null) : null),
          cell: ({ ap, positives }) =>
            positives > 0 && ap[system] ? format.fixed(ap[system].value, 1) : '–',
        })),
        ...['threshold', 'precision', 'recall'].map((figure) => ({
          title: figure[0].toUpperCase() + figure.slice(1),
          kind: 'number',
          value: ({ tagging }) => tagging?.[figure] ?? null,
          cell: ({ tagging }) =>
            tagging?.[figure] == null ? '–' : format.fixed(tagging[figure], figure === 'threshold' ? 3 : 1),
        })),
      ],
      rows: perCategory,
      sortBy: 3,
    });
    filter.addEventListener('input', () => {
      const text = filter.value.trim().toLowerCase();
      rows.setRows(perCategory.filter((row) => row.name.toLowerCase().includes(text)));
    });
    section('categories', 'Categories', field('category-filter', 'Text in the name', filter), rows);
  } else
    section(
      'categories',
      'Categories',
      made('Figures of single categories are those of an evaluation:', evaluate),
    );

  const reliability = metrics?.calibration?.groups;
  section(
    'reliability',
    'Reliability',
    reliability
      ? reliabilityDiagram(reliability)
      : metrics?.withoutCalibration
        ? note(
            `No calibration was fitted: ${metrics.withoutCalibration}. With validation images it is: `,
            el('code', {}, '--validation val.jsonl'),
          )
        : made('A calibration is fitted, and judged, by an evaluation with validation images:', evaluate),
  );

  const written = data.isCalibrated ? 'Scores are calibrated.' : 'Scores are raw: no calibration was fitted.';
  section(
    'thresholds',
    'Thresholds',
    thresholds ? thresholdExplorer({ thresholds, perCategory, scope: `${sample} ${written}` }) : unscored(),
  );

  // Siblings.
  section(
    'confusions',
    'Confusions between siblings',
    confusions
      ? [
          note(
            `${sample} Of images with a category and without its sibling, those in which the sibling has the higher score. Siblings have is-a edges to the same category.`,
          ),
          confusions.length === 0
            ? el('p', {}, 'There is none.')
            : table({
                caption: 'Confusions, those with the most images first',
                columns: [
                  { title: 'In the image', value: ({ present }) => name(present) },
                  { title: 'Scored above it', value: ({ above }) => name(above) },
                  { title: 'Both are', value: ({ kind }) => kind },
                  {
                    title: 'Images',
                    kind: 'number',
                    value: ({ wrong }) => wrong,
                    cell: ({ wrong, images }) => `${wrong} of ${images}`,
                  },
                  {
                    title: 'Share',
                    kind: 'number',
                    value: ({ wrong, images }) => wrong / images,
                    cell: ({ wrong, images }) => format.share(wrong / images),
                  },
                ],
                rows: confusions,
                sortBy: 3,
              }),
        ]
      : scored
        ? made(
            'The model has no category graph. One is made by',
            'c2srt graph build --categories categories.json --out GRAPH',
          )
        : unscored(),
  );

  section(
    'graph',
    'Category graph',
    data.graph
      ? el(
          'p',
          {},
          el('a', { href: data.graph }, 'The graph and each category’s neighbours'),
          ', in a page beside this one.',
        )
      : made(
          'The model has no category graph. One is made by',
          'c2srt graph build --categories categories.json --out GRAPH',
        ),
  );

  section(
    'images',
    'Images',
    data.images.length > 0
      ? [
          note(
            imagesSaid('of the test set, with their tags; ✓ marks labels of the image'),
            ' Choose one to see why it has them.',
          ),
          gallery({ images: data.images }),
        ]
      : unscored(),
  );
})();
