/** What changed between two models, or between two tag runs. */
(() => {
  'use strict';
  const { chart, data, el, facts, field, figures, format, gallery, imagesSaid, name, note, section, table } =
    report;
  const { vocabularyChoice } = report;
  const { now, before } = data;

  const about = (entries) =>
    el(
      'dl',
      { class: 'about' },
      entries
        .filter((entry) => entry[1])
        .flatMap(([title, text]) => [el('dt', {}, title), el('dd', {}, text)]),
    );
  const signedCell = (value, digits) =>
    el('span', { class: value > 0 ? 'gain' : value < 0 ? 'less' : null }, format.signed(value, digits));

  function models() {
    section(
      'about',
      'About',
      about([
        ['Now', now.name],
        ['Its evaluation', now.evaluation],
        ['Before', before.name],
        ['Its evaluation', before.evaluation],
      ]),
    );

    const groups = Object.entries(figures.groups).filter(
      ([group]) => now.groups[group] && before.groups[group],
    );
    section(
      'figures',
      'Figures',
      note(
        data.sameImages
          ? 'Percent, of the same test images. Intervals are of each model by itself: an evaluation with --production has intervals of the differences.'
          : `Percent, of different test images: ${now.test.uri} and ${before.test.uri}. The figures are not comparable as they stand.`,
      ),
      groups.map(([group, title]) =>
        table({
          caption: title,
          columns: [
            { title: 'Figure', value: ([figure]) => figure },
            {
              title: 'Before',
              kind: 'number',
              value: ([, , from]) => from.value,
              cell: ([, , from]) => figures.interval(from),
            },
            {
              title: 'Now',
              kind: 'number',
              value: ([, to]) => to.value,
              cell: ([, to]) => figures.interval(to),
            },
            {
              title: 'Change',
              kind: 'number',
              value: ([, to, from]) => to.value - from.value,
              cell: ([, to, from]) => format.signed(to.value - from.value, 2),
            },
          ],
          rows: Object.entries(now.groups[group]).flatMap(([figure, to]) => {
            const from = before.groups[group][figure];
            return from ? [[figure, to, from]] : [];
          }),
        }),
      ),
    );

    const { perCategory } = data;
    if (perCategory && perCategory.length > 0) {
      const change = ({ from, to }) => to - from;
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
          {
            title: 'Before',
            kind: 'number',
            value: ({ from }) => from,
            cell: ({ from }) => format.fixed(from, 1),
          },
          { title: 'Now', kind: 'number', value: ({ to }) => to, cell: ({ to }) => format.fixed(to, 1) },
          { title: 'Change', kind: 'number', value: change, cell: (row) => signedCell(change(row), 1) },
        ],
        rows: perCategory,
        sortBy: 5,
      });
      filter.addEventListener('input', () => {
        const text = filter.value.trim().toLowerCase();
        rows.setRows(perCategory.filter((row) => row.name.toLowerCase().includes(text)));
      });
      const better = perCategory.filter((row) => change(row) > 0).length;
      section(
        'categories',
        'Categories',
        note(
          `${format.whole(better)} of ${format.count(perCategory.length, 'category', 'categories')} are better than before.`,
        ),
        chart(
          'Average precision now, by what it was; above the line it is better',
          `Of ${perCategory.length} categories ${better} are better than before.`,
          (width) => ({
            height: Math.min(460, width * 0.75),
            x: { label: 'before', domain: [0, 100] },
            y: { label: 'now', domain: [0, 100], grid: true },
            marks: [
              Plot.link([0], {
                x1: 0,
                y1: 0,
                x2: 100,
                y2: 100,
                stroke: 'var(--muted)',
                strokeDasharray: '4 4',
              }),
              Plot.dot(perCategory, {
                x: 'from',
                y: 'to',
                r: 3.5,
                symbol: ({ split }) => (split === 'unseen' ? 'triangle' : 'circle'),
                fill: ({ split }) => (split === 'unseen' ? 'var(--series-1)' : 'var(--series-0)'),
                fillOpacity: 0.75,
                title: ({ name: category, from, to }) =>
                  `${category}: ${format.fixed(from, 1)} to ${format.fixed(to, 1)}`,
              }),
            ],
            color: { type: 'identity' },
          }),
        ),
        el('ul', { class: 'legend' }, el('li', {}, '● seen'), el('li', {}, '▲ unseen')),
        field('category-filter', 'Text in the name', filter),
        rows,
      );
    }

    section(
      'images',
      'Images',
      data.images.length > 0
        ? [
            note(
              imagesSaid(
                `on which the two differ most, of ${format.whole(data.scored.images)} of ${format.whole(data.scored.of)} test images that both were asked again`,
              ),
              ' By the average precision of the image’s labels among its scores; better and worse in turns. ✓ marks labels of the image; tags and evidence are those of now.',
            ),
            gallery({
              images: data.images,
              order: (a, b) => Math.abs(b.change.to - b.change.from) - Math.abs(a.change.to - a.change.from),
              caption: ({ change: { from, to } }) =>
                `${format.fixed(from, 0)} → ${format.fixed(to, 0)} (${format.signed(to - from, 0)})`,
            }),
          ]
        : note(data.withoutImages ?? 'The two differ on no image.'),
    );
    report.beforeTags = ({ change }) => ({ title: 'Tags before', tags: change.tags });
  }

  function runs() {
    const { counts, labels, sampled } = data;
    const failedOf = ({ counts: { failuresByCode } }) =>
      Object.values(failuresByCode).reduce((a, b) => a + b, 0);
    const differing = data.vocabularyDifferences
      .map(({ name: vocabulary, differs }) => {
        const what = differs.map((part) => (part.startsWith('only') ? part : `other ${part}`));
        return `${vocabulary === null ? 'the vocabulary' : `vocabulary ${vocabulary}`}: ${what.join(', ')}`;
      })
      .join('; ');
    section(
      'totals',
      'Totals',
      sampled
        ? note(
            `Of images drawn by their keys, about ${format.whole(sampled.rows)} of ${format.whole(sampled.of)}, the same every time (--max-rows).`,
          )
        : null,
      facts([
        ['Tagged in both', format.whole(counts.both)],
        [
          'With other labels',
          format.whole(counts.changed),
          format.share(counts.changed / Math.max(1, counts.both)),
        ],
        ['Only now', format.whole(counts.onlyNow)],
        ['Only before', format.whole(counts.onlyBefore)],
        ['Failed now', format.whole(failedOf(now)), `before ${format.whole(failedOf(before))}`],
      ]),
      about([
        ['Now', `${now.name}, ${now.folder}`],
        ['Its model', now.model],
        ['Before', `${before.name}, ${before.folder}`],
        ['Its model', before.model],
        ['Differ in', differing],
      ]),
    );
    const kept = ({ now: count, appeared }) => count - appeared;
    const vocabulary = vocabularyChoice('labels-vocabulary', () =>
      found.setRows(labels.filter((row) => vocabulary.has(row.vocabulary))),
    );
    const found = table({
      caption: 'Labels on images that both runs tagged',
      columns: [
        { title: 'Label', value: ({ label }) => label },
        ...(vocabulary ? [{ title: 'Vocabulary', value: (row) => row.vocabulary ?? '–' }] : []),
        {
          title: 'Before',
          kind: 'number',
          value: (row) => row.before,
          cell: (row) => format.whole(row.before),
        },
        { title: 'Now', kind: 'number', value: (row) => row.now, cell: (row) => format.whole(row.now) },
        {
          title: 'Appeared',
          kind: 'number',
          value: ({ appeared }) => appeared,
          cell: ({ appeared }) => format.whole(appeared),
        },
        {
          title: 'Gone',
          kind: 'number',
          value: ({ gone }) => gone,
          cell: ({ gone }) => format.whole(gone),
        },
        {
          title: 'Either',
          kind: 'number',
          value: ({ appeared, gone }) => appeared + gone,
          cell: ({ appeared, gone }) => format.whole(appeared + gone),
        },
        {
          title: 'Mean change of score',
          kind: 'number',
          value: (row) => (kept(row) > 0 ? row.moved / kept(row) : null),
          cell: (row) => (kept(row) > 0 ? signedCell(row.moved / kept(row), 3) : '–'),
        },
      ],
      rows: labels,
      sortBy: vocabulary ? 6 : 5,
    });
    section(
      'labels',
      'Labels',
      vocabulary ? field('labels-vocabulary', 'Vocabulary', vocabulary.select) : null,
      found,
    );
    section(
      'images',
      'Images',
      data.images.length > 0
        ? [
            note(
              imagesSaid('that changed most: those with the most labels that appeared or are gone first'),
              data.withoutEvidence
                ? ` Scores are not explained: ${data.withoutEvidence}`
                : ' Tags and evidence are those of now.',
            ),
            gallery({
              images: data.images,
              order: () => 0,
              caption({ change: { appeared, gone } }) {
                const said = [
                  ...appeared.map((label) => `+${name(label)}`),
                  ...gone.map((tag) => `−${name(tag.name)}`),
                ];
                return said.length === 0
                  ? 'other scores'
                  : said.slice(0, 4).join(', ') + (said.length > 4 ? `, and ${said.length - 4} more` : '');
              },
            }),
          ]
        : note('No image changed.'),
    );
    report.beforeTags = ({ change }) => ({ title: 'Gone', tags: change.gone });
  }

  if (data.of === 'models') models();
  else runs();
})();
