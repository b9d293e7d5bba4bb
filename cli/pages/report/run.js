/** The report of a tag run. */
(() => {
  'use strict';
  const { chart, data, el, facts, field, format, gallery, imagesSaid, note, section, table } = report;
  const { indexOf, labelText, vocabularyChoice } = report;
  const { counts, failures, labels, rate, run, sampled } = data;
  const failed = failures.reduce((sum, { count }) => sum + count, 0);
  const seconds = (rate.endMs - rate.startMs) / 1000;
  const shareRead = sampled.of === 0 ? 1 : sampled.rows / sampled.of;
  const scope =
    shareRead < 1
      ? `Counted on ${format.whole(sampled.rows)} of ${format.whole(sampled.of)} tagged images: some shards, the same every time (--max-rows).`
      : null;

  section(
    'totals',
    'Totals',
    facts([
      ['Images', format.whole(counts.images)],
      ['Tagged', format.whole(counts.tagged), format.share(counts.tagged / counts.images)],
      ['Failed', format.whole(failed), format.share(failed / counts.images)],
      ['Tags per image', sampled.rows === 0 ? '–' : format.figure(sampled.tags / sampled.rows)],
      ['Labels found', format.whole(labels.labels.length), `of ${format.whole(data.categories)}`],
      [
        'Took',
        format.seconds(seconds),
        `${format.figure(counts.images / Math.max(seconds, 0.001))} images/s`,
      ],
    ]),
    el(
      'dl',
      { class: 'about' },
      [
        ['Folder', run.folder],
        ['Model', run.model],
        ['Sources', run.sources.join(', ')],
        data.isCalibrated === null
          ? null
          : ['Scores', data.isCalibrated ? 'calibrated' : 'as the model gives them'],
        counts.excluded > 0 ? ['Excluded', format.whole(counts.excluded)] : null,
        counts.duplicates > 0 ? ['Duplicates dropped', format.whole(counts.duplicates)] : null,
        counts.deleted > 0 ? ['Gone since the earlier run', format.whole(counts.deleted)] : null,
      ]
        .filter((entry) => entry)
        .flatMap(([title, text]) => [el('dt', {}, title), el('dd', {}, text)]),
    ),
  );

  const units = [
    ['hours', 3_600_000],
    ['minutes', 60_000],
    ['seconds', 1000],
  ];
  const [unit, unitMs] = units.find(([, ms]) => rate.endMs - rate.startMs >= 2 * ms) ?? units[2];
  const rates = rate.bins.map(({ fromMs, toMs, images }) => ({
    x1: (fromMs - rate.startMs) / unitMs,
    x2: (toMs - rate.startMs) / unitMs,
    rate: images / ((toMs - fromMs) / 1000),
  }));
  section(
    'rate',
    'Rate',
    chart(
      `Images per second, over ${unit} since the start`,
      `Images per second over ${format.seconds(seconds)}, at most ${format.figure(Math.max(...rates.map((bin) => bin.rate)))}.`,
      () => ({
        height: 200,
        x: { label: unit },
        y: { label: 'images/s', grid: true },
        marks: [
          Plot.rectY(rates, {
            x1: 'x1',
            x2: 'x2',
            y: 'rate',
            fill: 'var(--accent)',
            insetLeft: 0.5,
            insetRight: 0.5,
          }),
          Plot.ruleY([0]),
        ],
      }),
    ),
    note(
      'By the times at which the store has the shards’ receipts: of a folder that was copied, those of the copy.',
    ),
  );

  section(
    'failures',
    'Failures',
    failures.length === 0
      ? el('p', {}, 'Every image was tagged.')
      : failures.map(({ code, count, listed }) =>
          el(
            'details',
            {},
            el('summary', {}, el('code', {}, code), ` ${format.count(count, 'image')}`),
            table({
              caption: `${code}: ${listed.length < count ? `${listed.length} of ${format.whole(count)} images` : format.count(count, 'image')}`,
              columns: [
                { title: 'Key', value: ({ key }) => key },
                { title: 'Message', value: ({ message }) => message },
                ...(run.sources.length > 1 ? [{ title: 'Source', value: ({ source }) => source }] : []),
              ],
              rows: listed,
            }),
          ),
        ),
  );

  const images = gallery({ images: data.images });
  const shownLabels = new Set(data.images.flatMap(({ tags }) => tags.map((tag) => tag.name)));
  const vocabulary = vocabularyChoice('labels-vocabulary', () => {
    frequent.redraw();
    found.setRows(chosenLabels());
  });
  const chosenLabels = () =>
    labels.labels.filter((row) => vocabulary === null || vocabulary.has(row.vocabulary));
  const top = () => chosenLabels().slice(0, 30);
  const frequent =
    labels.labels.length === 0
      ? el('p', {}, 'No image has a tag.')
      : chart(
          top().length < labels.labels.length ? 'The 30 most frequent labels' : 'Images by label',
          () => {
            const [first] = top();
            return first
              ? `The most frequent label is ${labelText(first)}, of ${format.count(first.tags, 'image')}.`
              : 'No image has a tag of this vocabulary.';
          },
          (width) => {
            const marginLeft = Math.min(180, width / 3);
            // Letters are about 7 pixels wide.
            const letters = Math.floor(marginLeft / 7.5);
            return {
              height: 24 + 18 * Math.max(1, top().length),
              marginLeft,
              x: { label: 'images', grid: true },
              y: {
                label: null,
                tickFormat: (text) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text),
              },
              marks: [
                Plot.barX(top(), { x: 'tags', y: labelText, fill: 'var(--accent)', sort: { y: '-x' } }),
                Plot.ruleX([0]),
              ],
            };
          },
        );
  const found = table({
    caption: 'All labels that were found',
    columns: [
      { title: 'Label', value: ({ label }) => label },
      ...(vocabulary ? [{ title: 'Vocabulary', value: (row) => row.vocabulary ?? '–' }] : []),
      {
        title: 'Images',
        kind: 'number',
        value: ({ tags }) => tags,
        cell: ({ tags }) => format.whole(tags),
      },
      {
        title: 'Share',
        kind: 'number',
        value: ({ tags }) => tags / sampled.rows,
        cell: ({ tags }) => format.share(tags / sampled.rows),
      },
      {
        title: 'Lowest score',
        kind: 'number',
        value: ({ lowest }) => lowest,
        cell: ({ lowest }) => format.score(lowest),
      },
      {
        title: 'Highest score',
        kind: 'number',
        value: ({ highest }) => highest,
        cell: ({ highest }) => format.score(highest),
      },
      {
        title: 'Images shown',
        value: (row) => (shownLabels.has(indexOf(row)) ? 0 : null),
        cell(row) {
          const index = indexOf(row);
          if (!shownLabels.has(index)) return '–';
          return el(
            'button',
            {
              type: 'button',
              'aria-label': `Show images of ${labelText(row)}`,
              click: () => images.chooseLabel(index),
            },
            'Show',
          );
        },
      },
    ],
    rows: labels.labels,
    sortBy: vocabulary ? 2 : 1,
  });
  section(
    'labels',
    'Labels',
    scope ? note(scope) : null,
    vocabulary ? field('labels-vocabulary', 'Vocabulary', vocabulary.select) : null,
    frequent,
    found,
  );

  if (labels.labels.length > 0) {
    const [from, to] = labels.range;
    const width = (to - from) / labels.labels[0].bins.length;
    const choices = [
      { text: 'All labels', rows: labels.labels },
      ...(vocabulary
        ? [...Map.groupBy(labels.labels, (row) => row.vocabulary)].map(([of, rows]) => ({
            text: `All labels of ${of}`,
            rows,
          }))
        : []),
      ...labels.labels.map((row) => ({ text: labelText(row), rows: [row] })),
    ];
    const choice = el(
      'select',
      { id: 'scores-label' },
      choices.map(({ text }, at) => el('option', { value: at }, text)),
    );
    const bins = () => {
      const { rows } = choices[Number(choice.value)];
      return labels.labels[0].bins.map((_, bin) => rows.reduce((sum, row) => sum + row.bins[bin], 0));
    };
    const drawn = chart(
      null,
      () => `Tags by score, from ${format.score(from)} to ${format.score(to)}: ${bins().join(', ')}.`,
      () => ({
        height: 200,
        x: { label: 'score', domain: [from, to] },
        y: { label: 'tags', grid: true },
        marks: [
          Plot.rectY(
            bins().map((tags, bin) => ({ x1: from + bin * width, x2: from + (bin + 1) * width, tags })),
            { x1: 'x1', x2: 'x2', y: 'tags', fill: 'var(--accent)', insetLeft: 0.5, insetRight: 0.5 },
          ),
          Plot.ruleY([0]),
        ],
      }),
    );
    choice.addEventListener('input', () => drawn.redraw());
    section('scores', 'Scores', scope ? note(scope) : null, field('scores-label', 'Label', choice), drawn);
  }

  section(
    'images',
    'Images',
    note(
      imagesSaid(
        'chosen from the run: those with the highest scores of every label in turns, and some drawn from all',
      ),
      data.withoutEvidence
        ? ` Scores are not explained: ${data.withoutEvidence}`
        : ' Choose one to see its tags, and why it has them.',
    ),
    images,
  );
})();
