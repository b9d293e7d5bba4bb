/** Tables that are sorted by their columns. */
(() => {
  'use strict';
  const { el, format } = report;

  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    return typeof a === 'string' ? a.localeCompare(b) : a - b;
  };

  /**
   * columns: `{ title, value(row), cell?(row), kind?: 'number' }`; sorted by the column `sortBy` at first, downwards where it
   * is of numbers. Of many rows the first are shown, and more on demand.
   */
  report.table = ({ caption, columns, rows, sortBy = 0, limit = 25, rowAttributes }) => {
    let by = sortBy;
    let isDown = columns[by].kind === 'number';
    let shown = limit;
    let list = rows;
    const body = el('tbody');
    const more = el('button', { type: 'button', class: 'more', click: () => show(shown * 4) });
    const heads = columns.map(({ title, kind }, at) =>
      el(
        'th',
        { scope: 'col', class: kind },
        el('button', { type: 'button', click: () => sort(at) }, title, el('span', { 'aria-hidden': 'true' })),
      ),
    );
    const element = el(
      'div',
      { class: 'table', role: 'region', 'aria-label': caption, tabindex: 0 },
      el('table', {}, el('caption', {}, el('span', {}, caption)), el('thead', {}, el('tr', {}, heads)), body),
      more,
    );

    function sort(at) {
      isDown = at === by ? !isDown : columns[at].kind === 'number';
      by = at;
      show(shown);
    }
    function show(count) {
      shown = count;
      const { value } = columns[by];
      // What has no value is last, whichever way.
      const sorted = list
        .map((row) => [row, value(row)])
        .sort(([, a], [, b]) => {
          const missing = (a === null || a === undefined) !== (b === null || b === undefined);
          return isDown && !missing ? compare(b, a) : compare(a, b);
        });
      body.replaceChildren(
        ...sorted.slice(0, shown).map(([row]) =>
          el(
            'tr',
            rowAttributes?.(row),
            columns.map(({ value: of, cell, kind }, i) =>
              el(
                i === 0 ? 'th' : 'td',
                { scope: i === 0 ? 'row' : null, class: kind },
                cell ? cell(row) : String(of(row) ?? '–'),
              ),
            ),
          ),
        ),
      );
      heads.forEach((head, i) => {
        if (i === by) head.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
        else head.removeAttribute('aria-sort');
        head.querySelector('span').textContent = i === by ? (isDown ? ' ▼' : ' ▲') : '';
      });
      more.hidden = list.length <= shown;
      more.textContent = `Show more of ${format.whole(list.length)}`;
    }
    show(limit);
    element.setRows = (next) => {
      list = next;
      show(limit);
    };
    return element;
  };
})();
