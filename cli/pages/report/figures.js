/** Figures of evaluations: tables with intervals, names of groups. */
(() => {
  'use strict';
  const { el, format } = report;

  const groups = {
    unseen: 'Unseen categories alone (ZSL)',
    all: 'All categories (GZSL)',
    seen: 'Seen categories alone',
  };

  const interval = ({ value, low, high }, signed) => [
    signed ? format.signed(value, 2) : format.fixed(value, 2),
    ' ',
    el('small', {}, `${format.fixed(low, 2)} to ${format.fixed(high, 2)}`),
  ];

  /** A difference, coloured where its interval leaves zero out. */
  const difference = (figure) =>
    figure
      ? el(
          'span',
          { class: figure.low > 0 ? 'gain' : figure.high < 0 ? 'less' : null },
          interval(figure, true),
        )
      : '–';

  report.figures = { groups, interval, difference };
})();
