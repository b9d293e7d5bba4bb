/** Charts: drawn to their width, again when it changes, with what they say as text. */
(() => {
  'use strict';
  const { el } = report;

  /** `options(width)` are those of Plot.plot; `says` is read out in its place. */
  report.chart = (title, says, options) => {
    const canvas = el('div', { class: 'chart' });
    const element = el('figure', {}, title === null ? null : el('figcaption', {}, title), canvas);
    let width = 0;
    const draw = () => {
      if (width === 0) return;
      const { x, ...others } = options(width);
      const drawing = Plot.plot({
        ...{ width, marginTop: 28, marginBottom: 46, marginLeft: 52, className: 'plot' },
        x: { labelAnchor: 'center', labelOffset: 40, ...x },
        ...others,
      });
      // Its own style element is refused by the page's policy; page.css has what it says.
      drawing.querySelectorAll('style').forEach((style) => style.remove());
      const svg = drawing.matches('svg') ? drawing : drawing.querySelector('svg');
      // It is one image with one text: its parts' own names are not read.
      svg.querySelectorAll('[aria-label]').forEach((part) => part.removeAttribute('aria-label'));
      svg.setAttribute('role', 'img');
      svg.setAttribute('aria-label', typeof says === 'function' ? says() : says);
      canvas.replaceChildren(drawing);
    };
    new ResizeObserver(([{ contentRect }]) => {
      const next = Math.floor(contentRect.width);
      if (next === width) return;
      width = next;
      draw();
    }).observe(canvas);
    element.redraw = draw;
    return element;
  };

  /** Colours of several series, told apart by dashes too. */
  report.series = (at) => ({
    stroke: `var(--series-${at % 5})`,
    dash: ['', '6 3', '2 3', '8 3 2 3', '1 4'][at % 5],
  });

  /** What a series looks like, with its name. */
  report.legend = (names) =>
    el(
      'ul',
      { class: 'legend' },
      names.map((name, at) =>
        el('li', {}, el('span', { class: `swatch series-${at % 5}`, 'aria-hidden': 'true' }), name),
      ),
    );
})();
