/** One image in a dialog: its tags and, for each, the patches and the neighbours that its score comes from. */
(() => {
  'use strict';
  const { byId, data, el, format, name, vocabularyOf } = report;
  const SVG = 'http://www.w3.org/2000/svg';
  const dialog = byId('image');
  const state = { images: [], at: 0, tag: null, isOffered: () => true, hasOverlay: true };

  const shape = (tag, attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  };

  const highest = (tags) => tags.reduce((best, own) => (best && best.score >= own.score ? best : own), null);

  /** Of each image the label `wanted` is shown first, else that with the highest score of those that `isOffered`. */
  report.openImage = (images, image, { wanted, isOffered }) => {
    Object.assign(state, { images, at: images.indexOf(image), tag: wanted, isOffered });
    show();
    dialog.showModal();
  };

  function go(step) {
    const next = state.at + step;
    if (next < 0 || next >= state.images.length) return;
    state.at = next;
    show();
  }

  /** The kept patches over the image: both in shares of its sides. */
  function overlay({ grid }, { evidence }) {
    const { left, top, width, height, side } = grid;
    const svg = shape('svg', {
      viewBox: '0 0 1 1',
      preserveAspectRatio: 'none',
      class: 'overlay',
      'aria-hidden': 'true',
    });
    svg.append(shape('rect', { class: 'seen', x: left, y: top, width: width * side, height: height * side }));
    const most = evidence.patches.reduce((a, [, probability]) => Math.max(a, probability), 0);
    for (const [index, probability] of evidence.patches)
      svg.append(
        shape('rect', {
          class: 'patch',
          x: left + (index % side) * width,
          y: top + Math.floor(index / side) * height,
          width,
          height,
          'fill-opacity': (0.1 + (0.35 * probability) / most).toFixed(3),
        }),
      );
    return svg;
  }

  function show() {
    const image = state.images[state.at];
    const tag =
      image.tags.find((own) => own.name === state.tag) ??
      highest(image.tags.filter((own) => state.isOffered(own.name))) ??
      highest(image.tags);
    const move = (step, text, says) =>
      el(
        'button',
        {
          type: 'button',
          'aria-label': says,
          disabled: !state.images[state.at + step],
          click: () => go(step),
        },
        text,
      );
    const title = el('h2', { id: 'image-name', tabindex: -1 }, image.key);
    dialog.replaceChildren(
      el(
        'div',
        { class: 'bar' },
        title,
        move(-1, '‹', 'Previous image'),
        el('span', { class: 'place' }, `${state.at + 1} of ${state.images.length}`),
        move(1, '›', 'Next image'),
        el('button', { type: 'button', 'aria-label': 'Close', click: () => dialog.close() }, '✕'),
      ),
      el(
        'div',
        { class: 'image' },
        picture(image, tag),
        el('div', { class: 'reasons' }, ...reasons(image, tag)),
      ),
    );
    title.focus();
  }

  function picture(image, tag) {
    if (!image.thumbnail)
      return el('p', { class: 'unshown' }, `The image cannot be shown: ${image.unshown}.`);
    const says = tag ? `${image.key}: ${name(tag.name)}` : image.key;
    const frame = el('div', { class: 'frame' }, el('img', { src: image.thumbnail, alt: says }));
    // Small images are enlarged, so that patches can be told apart.
    frame.style.aspectRatio = `${image.width} / ${image.height}`;
    frame.style.width = `min(100%, ${((60 * image.width) / image.height).toFixed(1)}vh)`;
    const hasPatches = tag?.evidence && image.grid && tag.evidence.patches.length > 0;
    let toggle = null;
    if (hasPatches) {
      const drawn = overlay(image, tag);
      const draw = () => drawn.classList.toggle('hidden', !state.hasOverlay);
      draw();
      frame.append(drawn);
      const box = el('input', {
        type: 'checkbox',
        checked: state.hasOverlay,
        input() {
          state.hasOverlay = box.checked;
          draw();
        },
      });
      toggle = el(
        'label',
        { class: 'toggle' },
        box,
        ` Show the ${format.count(tag.evidence.patches.length, 'kept patch', 'kept patches')}; stronger colour, more probable`,
      );
    }
    return el(
      'div',
      { class: 'picture' },
      frame,
      toggle,
      el(
        'p',
        { class: 'note' },
        [
          image.width === null ? null : `${image.width} × ${image.height} pixels`,
          image.source,
          tag?.evidence ? 'The dashed square is what the model saw.' : null,
        ]
          .filter((text) => text)
          .join('. '),
      ),
    );
  }

  function reasons(image, tag) {
    if (!tag) return [el('p', {}, 'It has no tag.')];
    const button = (own) =>
      el(
        'li',
        {},
        el(
          'button',
          {
            type: 'button',
            'aria-pressed': String(own === tag),
            click: () => {
              state.tag = own.name;
              show();
              dialog.querySelector('.tags [aria-pressed=true]').focus();
            },
          },
          data.names[own.name],
          image.present?.includes(own.name)
            ? el('span', { class: 'true', title: 'It is a label of the image' }, ' ✓')
            : null,
          el('span', { class: 'score' }, format.score(own.score)),
        ),
      );
    const groups = Map.groupBy(image.tags, (own) => vocabularyOf(own.name));
    const lists = [...groups].flatMap(([vocabulary, tags]) => {
      const title = vocabulary === null ? 'Tags' : `Tags of ${vocabulary}`;
      return [
        vocabulary === null ? null : el('h3', { class: 'vocabulary' }, vocabulary),
        el('ul', { class: 'tags', 'aria-label': title }, tags.map(button)),
      ];
    });
    // A comparison says what the other had.
    const earlier = report.beforeTags?.(image);
    const missed = (image.present ?? []).filter((index) => !image.tags.some((own) => own.name === index));
    return [
      ...lists,
      earlier && earlier.tags.length > 0
        ? el(
            'p',
            { class: 'note' },
            `${earlier.title}: ${earlier.tags.map((own) => `${name(own.name)} ${format.score(own.score)}`).join(', ')}.`,
          )
        : null,
      missed.length > 0
        ? el('p', { class: 'note' }, `Also in its labels: ${missed.map(name).join(', ')}.`)
        : null,
      ...(tag.evidence ? explained(tag) : [el('p', { class: 'note' }, unexplained(image))]),
    ].filter((child) => child);
  }

  const unexplained = (image) =>
    data.withoutEvidence ??
    (image.thumbnail
      ? 'Only the highest scores of an image are explained.'
      : 'Without the image there is nothing to explain.');

  function explained({ name: label, score, evidence }) {
    const { global, local, start, patches, neighbours, others } = evidence;
    const steps = [
      ['the whole image', global],
      local === null ? null : [`${format.count(patches.length, 'kept patch', 'kept patches')}`, local],
      ['both, before the graph', start],
      neighbours.length + others > 0 ? ['after its neighbours', evidence.score] : null,
    ].filter((step) => step);
    const changed =
      neighbours.length === 0
        ? [el('p', { class: 'note' }, 'No neighbour in the category graph moved this score.')]
        : [
            el(
              'table',
              { class: 'neighbours' },
              el('caption', {}, `What the score of “${name(label)}” would lose without a neighbour`),
              el(
                'thead',
                {},
                el(
                  'tr',
                  {},
                  ['Neighbour', 'Relation', 'Change'].map((text) => el('th', { scope: 'col' }, text)),
                ),
              ),
              el(
                'tbody',
                {},
                neighbours.map(([source, relations, change]) =>
                  el(
                    'tr',
                    {},
                    el('th', { scope: 'row' }, data.names[source]),
                    el('td', {}, relations.map((relation) => data.relations[relation]).join(', ')),
                    el('td', { class: change < 0 ? 'number less' : 'number gain' }, format.signed(change, 4)),
                  ),
                ),
              ),
            ),
            others > 0
              ? el(
                  'p',
                  { class: 'note' },
                  `${format.count(others, 'neighbour')} with smaller changes not listed.`,
                )
              : null,
          ];
    return [
      el('h3', {}, `${name(label)}: ${format.score(score)}`),
      el(
        'table',
        { class: 'steps' },
        el('caption', {}, 'Its raw score, step by step'),
        el(
          'tbody',
          {},
          steps.map(([text, value]) =>
            el(
              'tr',
              {},
              el('th', { scope: 'row' }, text),
              el('td', { class: 'number' }, format.fixed(value, 4)),
            ),
          ),
        ),
      ),
      ...changed,
    ];
  }

  dialog.addEventListener('keydown', ({ key, target }) => {
    if (target.matches('input, select')) return;
    if (key === 'ArrowRight') go(1);
    if (key === 'ArrowLeft') go(-1);
  });
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
  });
})();
