/** What all parts of a report's page share: its data, elements, numbers, sections. */
(() => {
  'use strict';
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId('report').textContent);

  /** An element; attributes that are null or false are left out, functions are listeners, text is never markup. */
  function el(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === 'function') element.addEventListener(name, value);
      else element.setAttribute(name, value === true ? '' : String(value));
    }
    element.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
    return element;
  }

  const whole = new Intl.NumberFormat('en');
  const percentage = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
  const figure = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
  /** Minus signs as wide as digits. */
  const fixed = (value, digits) => value.toFixed(digits).replace('-', '−');
  const format = {
    whole: (value) => whole.format(value),
    share: (value) => (Number.isFinite(value) ? percentage.format(value) : '–'),
    figure: (value) => figure.format(value),
    fixed,
    signed: (value, digits) => (value > 0 ? '+' : '') + fixed(value, digits),
    score: (value) => fixed(value, 3),
    seconds(value) {
      if (value < 120) return `${figure.format(value)} s`;
      if (value < 7200) return `${figure.format(value / 60)} min`;
      return `${figure.format(value / 3600)} h`;
    },
    count: (value, one, many = `${one}s`) => `${whole.format(value)} ${value === 1 ? one : many}`,
  };

  /** Where there are several vocabularies, a label's is told: another may have one of the same name. */
  const labelText = ({ vocabulary, label }) =>
    data.vocabularies === null || vocabulary === null ? label : `${label} (${vocabulary})`;
  const vocabularyOf = (index) => data.vocabularies?.[index] ?? null;
  const name = (index) => labelText({ vocabulary: vocabularyOf(index), label: data.names[index] });

  const labelKey = ({ vocabulary, label }) =>
    data.vocabularies === null ? label : `${vocabulary ?? ''}\0${label}`;
  const indices = new Map(
    data.names.map((label, index) => [labelKey({ vocabulary: vocabularyOf(index), label }), index]),
  );
  const indexOf = (label) => indices.get(labelKey(label));

  /** One or all of the vocabularies `among` which to choose; null where there are not several. */
  function vocabularyChoice(id, changed, among = data.vocabularies ?? []) {
    const vocabularies = [...new Set(among)];
    if (vocabularies.length < 2) return null;
    const select = el(
      'select',
      { id, input: changed },
      el('option', { value: '' }, 'All vocabularies'),
      vocabularies.map((vocabulary, at) => el('option', { value: at }, vocabulary ?? 'without a name')),
    );
    return {
      select,
      has: (vocabulary) => select.value === '' || vocabularies[Number(select.value)] === vocabulary,
    };
  }

  /** Appends a section, and its link. */
  function section(id, title, ...children) {
    byId('contents').append(el('a', { href: `#${id}` }, title));
    const made = el(
      'section',
      { id, 'aria-labelledby': `${id}-title` },
      el('h2', { id: `${id}-title` }, title),
    );
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    byId('main').append(made);
    return made;
  }

  const note = (...text) => el('p', { class: 'note' }, ...text);

  /** Names with figures. */
  const facts = (entries) =>
    el(
      'dl',
      { class: 'facts' },
      entries
        .filter((entry) => entry)
        .map(([title, value, more]) =>
          el('div', {}, el('dt', {}, title), el('dd', {}, value, more ? el('small', {}, more) : null)),
        ),
    );

  /** A field with its label; `id` is unique on the page. */
  const field = (id, title, input) => el('div', { class: 'field' }, el('label', { for: id }, title), input);

  byId('title').textContent = data.title;
  globalThis.report = {
    ...{ byId, data, el, format, section, note, facts, field },
    ...{ name, labelText, vocabularyOf, indexOf, vocabularyChoice },
  };
})();
