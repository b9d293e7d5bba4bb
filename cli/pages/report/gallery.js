/** The images of a report: filters, and a button for each. */
(() => {
  'use strict';
  const { data, el, field, format, name, vocabularyChoice, vocabularyOf } = report;
  const PAGE = 60;

  const scoreOf = (image, label) => image.tags.find((tag) => tag.name === label)?.score;

  /** `caption(image)`: what a list says of an image, besides its key; its tags where it is missing. */
  report.gallery = ({ images, caption, order }) => {
    const labels = [...new Set(images.flatMap(({ tags }) => tags.map((tag) => tag.name)))]
      .map((index) => [name(index), index])
      .sort(([a], [b]) => a.localeCompare(b));
    const sources = [...new Set(images.map(({ source }) => source))].sort();
    const scores = images.flatMap(({ tags }) => tags.map(({ score }) => score));
    const lowest = Math.floor(scores.reduce((a, b) => Math.min(a, b), 1) * 100) / 100;
    const highest = Math.ceil(scores.reduce((a, b) => Math.max(a, b), -1) * 100) / 100;
    let shown = PAGE;

    const options = (values) => values.map(([text, value]) => el('option', { value }, text));
    const label = el('select', { id: 'filter-label' });
    const vocabulary = vocabularyChoice(
      'filter-vocabulary',
      () => {
        offerLabels();
        changed();
      },
      labels.map(([, index]) => vocabularyOf(index)),
    );
    const isOffered = (index) => vocabulary === null || vocabulary.has(vocabularyOf(index));
    function offerLabels() {
      const { value } = label;
      const offered = labels.filter(([, index]) => isOffered(index));
      label.replaceChildren(...options([['All labels', ''], ...offered]));
      label.value = offered.some(([, index]) => String(index) === value) ? value : '';
    }
    offerLabels();
    const source = el(
      'select',
      { id: 'filter-source' },
      options([['All sources', ''], ...sources.map((uri) => [uri, uri])]),
    );
    const key = el('input', { id: 'filter-key', type: 'search', autocomplete: 'off', spellcheck: 'false' });
    const bound = (id, value) =>
      el('input', { id, type: 'number', step: 0.01, min: lowest, max: highest, value });
    const from = bound('filter-from', lowest);
    const to = bound('filter-to', highest);
    const reset = el('button', { type: 'button' }, 'Clear filters');
    const found = el('p', { role: 'status', class: 'note' });
    const list = el('ul', { class: 'gallery' });
    const more = el('button', { type: 'button', class: 'more' }, 'Show more images');

    function matching() {
      const wanted = label.value === '' ? null : Number(label.value);
      const text = key.value.trim().toLowerCase();
      // Bounds are of the label's score, or of any.
      const isAny =
        Number(from.value) <= lowest &&
        Number(to.value) >= highest &&
        (vocabulary === null || vocabulary.select.value === '');
      const within = (score) => score >= Number(from.value) && score <= Number(to.value);
      const matches = images.filter((image) => {
        if (source.value !== '' && image.source !== source.value) return false;
        if (text !== '' && !image.key.toLowerCase().includes(text)) return false;
        if (wanted !== null) return image.tags.some((tag) => tag.name === wanted && within(tag.score));
        return isAny || image.tags.some((tag) => isOffered(tag.name) && within(tag.score));
      });
      if (wanted !== null) matches.sort((a, b) => scoreOf(b, wanted) - scoreOf(a, wanted));
      else if (order) matches.sort(order);
      else {
        const best = new Map(matches.map((image) => [image, highestTags(image)[0]?.score ?? -1]));
        matches.sort((a, b) => best.get(b) - best.get(a));
      }
      return { matches, wanted };
    }

    /** The tags of chosen vocabularies, the highest scores first. */
    const highestTags = ({ tags }) =>
      tags.filter((tag) => isOffered(tag.name)).sort((a, b) => b.score - a.score);

    const card = (image, matches, wanted) => {
      const first =
        wanted === null ? highestTags(image).slice(0, 3) : image.tags.filter((tag) => tag.name === wanted);
      const says =
        caption?.(image) ?? first.map((tag) => `${name(tag.name)} ${format.score(tag.score)}`).join(', ');
      return el(
        'li',
        {},
        el(
          'button',
          { type: 'button', click: () => report.openImage(matches, image, { wanted, isOffered }) },
          image.thumbnail
            ? el('img', { src: image.thumbnail, alt: '', decoding: 'async' })
            : el('span', { class: 'unshown' }, image.unshown),
          el('span', { class: 'key' }, image.key),
          el('span', { class: 'says' }, says === '' ? 'no tag' : says),
        ),
      );
    };

    function show() {
      const { matches, wanted } = matching();
      found.textContent = `${format.count(matches.length, 'image')} of ${format.whole(images.length)}${
        matches.length > shown ? `, the first ${shown} shown` : ''
      }.`;
      list.replaceChildren(...matches.slice(0, shown).map((image) => card(image, matches, wanted)));
      more.hidden = matches.length <= shown;
    }
    const changed = () => {
      shown = PAGE;
      show();
    };
    for (const input of [label, source, key, from, to]) input.addEventListener('input', changed);
    more.addEventListener('click', () => {
      shown += PAGE;
      show();
    });
    reset.addEventListener('click', () => {
      if (vocabulary) vocabulary.select.value = '';
      offerLabels();
      label.value = source.value = key.value = '';
      from.value = lowest;
      to.value = highest;
      changed();
    });
    show();
    const element = el(
      'div',
      {},
      el(
        'div',
        { class: 'filters', role: 'search', 'aria-label': 'Filters of images' },
        vocabulary ? field('filter-vocabulary', 'Vocabulary', vocabulary.select) : null,
        field('filter-label', 'Label', label),
        field('filter-from', 'Score from', from),
        field('filter-to', 'to', to),
        sources.length > 1 ? field('filter-source', 'Source', source) : null,
        field('filter-key', 'Text in the key', key),
        reset,
      ),
      found,
      list,
      more,
    );
    element.chooseLabel = (index) => {
      if (vocabulary) vocabulary.select.value = '';
      offerLabels();
      label.value = String(index);
      changed();
      label.focus();
    };
    return element;
  };

  /** How many images there are to see, and why not more. */
  report.imagesSaid = (of) => {
    const { images, imagesChosen } = data;
    const cut =
      images.length < imagesChosen
        ? ` ${format.whole(imagesChosen - images.length)} more were chosen and left out to keep the page small (--max-mb).`
        : '';
    return `${format.count(images.length, 'image')} ${of}.${cut}`;
  };
})();
