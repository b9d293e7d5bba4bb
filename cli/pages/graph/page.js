// The page of `c2srt graph show --html`: runs in browsers as it stands, after cytoscape, in a page that may load nothing.
(() => {
  'use strict';

  /** A drawing of more is a hairball, and slow. */
  const WHOLE_CATEGORIES = 400;
  const WHOLE_EDGES = 4000;
  /** Neighbours drawn on either side, the strongest, and how far away, in a drawing of at least this width; lists show more. */
  const ROOMS = [
    { width: 560, neighbours: 32, gap: 130 },
    { width: 0, neighbours: 14, gap: 60 },
  ];
  const ROWS_OF_COLUMN = 16;
  const LISTED_EDGES = 300;
  const FOUND = 50;
  const FONT = '13px system-ui, sans-serif';
  const LINES = {
    synonym: 'solid',
    'is-a': 'solid',
    functional: 'dashed',
    'co-occurrence': 'dotted',
    'part-whole': 'dashed',
  };

  const byId = (id) => document.getElementById(id);
  const element = (tag, properties = {}, children = []) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  // { names, unseen: [category], relations, edges: [source, target, relation, strength] }, all but names by index.
  const { names, unseen, relations, edges } = JSON.parse(byId('graph').textContent);
  const isUnseen = new Set(unseen);
  const incoming = names.map(() => []);
  const outgoing = names.map(() => []);
  for (const edge of edges) {
    outgoing[edge[0]].push(edge);
    incoming[edge[1]].push(edge);
  }
  for (const list of [...incoming, ...outgoing]) list.sort((a, b) => b[3] - a[3]);
  const degree = (category) => incoming[category].length + outgoing[category].length;
  const byDegree = names.map((_, i) => i).sort((a, b) => degree(b) - degree(a));
  const folded = names.map((name) => name.toLowerCase());

  const shown = new Set(relations.keys());
  const state = { chosen: byDegree[0], whole: false, strength: 0 };
  const passes = ([, , relation, strength]) => shown.has(relation) && strength >= state.strength;

  const measure = document.createElement('canvas').getContext('2d');
  measure.font = FONT;
  const labelOf = (category) =>
    names[category].length > 32 ? `${names[category].slice(0, 31)}…` : names[category];
  const widthOf = (category) => Math.ceil(measure.measureText(labelOf(category)).width) + 20;

  const colour = (name) => {
    // Resolves light-dark(), which a custom property keeps as it is written.
    const probe = byId('probe');
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const styleOf = () => [
    {
      selector: 'node',
      style: {
        shape: 'round-rectangle',
        width: 'data(width)',
        height: 26,
        label: 'data(label)',
        'font-family': 'system-ui, sans-serif',
        'font-size': 13,
        'text-valign': 'center',
        color: colour('text'),
        'background-color': colour('surface'),
        'border-color': colour('muted'),
        'border-width': 1,
      },
    },
    { selector: 'node.unseen', style: { 'border-style': 'dashed' } },
    {
      selector: 'node.chosen',
      style: {
        'background-color': colour('accent'),
        color: colour('accent-text'),
        'border-color': colour('accent'),
      },
    },
    {
      selector: 'edge',
      style: {
        'curve-style': 'bezier',
        'target-arrow-shape': 'triangle',
        'arrow-scale': 0.9,
        width: 'mapData(strength, 0, 1, 1, 3)',
        opacity: 0.75,
      },
    },
    ...relations.map((name, relation) => ({
      selector: `edge.relation-${relation}`,
      style: {
        'line-color': colour(name),
        'target-arrow-color': colour(name),
        'line-style': LINES[name] ?? 'solid',
      },
    })),
  ];

  const drawing = cytoscape({
    container: byId('canvas'),
    style: styleOf(),
    minZoom: 0.05,
    maxZoom: 3,
    autounselectify: true,
    boxSelectionEnabled: false,
  });
  drawing.on('tap', 'node', ({ target }) => choose(target.data('category')));

  const nodeOf = (category, position) => ({
    data: { id: `n${category}`, category, label: labelOf(category), width: widthOf(category) },
    classes: [isUnseen.has(category) && 'unseen', category === state.chosen && 'chosen']
      .filter(Boolean)
      .join(' '),
    ...(position && { position }),
  });
  const edgeOf = ([source, target, relation, strength]) => ({
    data: { source: `n${source}`, target: `n${target}`, strength },
    classes: `relation-${relation}`,
  });

  /** Columns of neighbours beside the chosen one: those that inform it on the left, those that it informs on the right. */
  function neighbourhood() {
    const from = incoming[state.chosen].filter(passes);
    const to = outgoing[state.chosen].filter(passes);
    const sources = [...new Set(from.map(([source]) => source))];
    const targets = [...new Set(to.map(([, target]) => target))].filter((one) => !sources.includes(one));
    const room = ROOMS.find(({ width }) => drawing.width() >= width);
    const left = sources.slice(0, room.neighbours);
    const right = targets.slice(0, room.neighbours);
    const nodes = [
      nodeOf(state.chosen, { x: 0, y: 0 }),
      ...columns(left, -room.gap).map(([category, position]) => nodeOf(category, position)),
      ...columns(right, room.gap).map(([category, position]) => nodeOf(category, position)),
    ];
    const drawn = new Set([state.chosen, ...left, ...right]);
    const isDrawn = ([source, target]) => drawn.has(source) && drawn.has(target);
    const own = [...from, ...to].filter(isDrawn);
    const among = byId('among').checked
      ? [...left, ...right].flatMap((one) =>
          outgoing[one].filter((edge) => edge[1] !== state.chosen && passes(edge) && isDrawn(edge)),
        )
      : [];
    const hidden = sources.length + targets.length - left.length - right.length;
    const note = hidden > 0 ? `${count(hidden)} weaker neighbours are in the lists only.` : '';
    return { nodes, edges: [...own, ...among], layout: { name: 'preset' }, note };
  }

  function columns(categories, gap) {
    const placed = [];
    const side = Math.sign(gap);
    let x = gap + (side * widthOf(state.chosen)) / 2;
    const rows = Math.ceil(categories.length / Math.ceil(categories.length / ROWS_OF_COLUMN));
    for (let start = 0; start < categories.length; start += rows) {
      const column = categories.slice(start, start + rows);
      const half = Math.max(...column.map(widthOf)) / 2;
      for (const [row, category] of column.entries())
        placed.push([category, { x: x + side * half, y: (row - (column.length - 1) / 2) * 46 }]);
      x += side * (2 * half + 50);
    }
    return placed;
  }

  function wholeGraph() {
    const visible = edges.filter(passes);
    const linked = new Set(visible.flatMap(([source, target]) => [source, target]));
    const nodes = [...linked].map((category) => nodeOf(category));
    const layout = {
      name: 'cose',
      animate: false,
      randomize: true,
      nodeDimensionsIncludeLabels: true,
      idealEdgeLength: () => 90,
      nodeRepulsion: () => 60_000,
      numIter: Math.max(100, Math.min(1000, Math.round(60_000 / Math.max(1, nodes.length)))),
    };
    return { nodes, edges: visible, layout, note: '' };
  }

  function draw() {
    const visible = edges.filter(passes);
    const fits = names.length <= WHOLE_CATEGORIES && visible.length <= WHOLE_EDGES;
    byId('whole').hidden = !fits;
    const isWhole = state.whole && fits;
    byId('whole').setAttribute('aria-pressed', String(isWhole));
    const drawn = isWhole ? wholeGraph() : neighbourhood();
    drawing.elements().remove();
    drawing.add([...drawn.nodes, ...drawn.edges.map(edgeOf)]);
    drawing.layout(drawn.layout).run();
    fit();
    byId('note').textContent = drawn.note;
    byId('counts').textContent =
      `${count(names.length)} categories, ${count(edges.length)} edges` +
      (visible.length < edges.length ? `, ${count(visible.length)} of them shown` : '');
  }

  function fit() {
    drawing.resize();
    drawing.fit(undefined, 30);
    if (drawing.zoom() > 1.25) {
      drawing.zoom(1.25);
      drawing.center();
    }
  }

  const count = (number) => number.toLocaleString('en');

  function listEdges(id, title, all, end) {
    const visible = all.filter(passes);
    byId(`${id}-title`).textContent = `${title}: ${count(visible.length)}`;
    byId(id).replaceChildren(
      ...visible.slice(0, LISTED_EDGES).map((edge) => {
        const relation = relations[edge[2]];
        const text = element('small', {
          className: relation,
          textContent: `${relation} ${edge[3].toFixed(2)}`,
        });
        return element('li', {}, [categoryButton(edge[end], [text])]);
      }),
      ...(visible.length > LISTED_EDGES
        ? [element('li', { textContent: `and ${count(visible.length - LISTED_EDGES)} weaker ones` })]
        : []),
    );
  }

  function categoryButton(category, children) {
    const name = element('span', {
      textContent: names[category],
      className: isUnseen.has(category) ? 'unseen' : '',
    });
    const button = element('button', { type: 'button' }, [name, ...children]);
    button.addEventListener('click', () => choose(category));
    return button;
  }

  function showDetails() {
    const { chosen } = state;
    byId('name').textContent = names[chosen];
    byId('name').className = isUnseen.has(chosen) ? 'unseen' : '';
    const unlinked = degree(chosen) === 0 ? 'No edge: its scores stand alone.' : '';
    byId('degree').textContent = unlinked;
    listEdges('incoming', 'Informed by', incoming[chosen], 0);
    listEdges('outgoing', 'Informs', outgoing[chosen], 1);
  }

  function choose(category) {
    state.chosen = category;
    state.whole = false;
    const hash = `#${encodeURIComponent(names[category])}`;
    if (location.hash !== hash) history.pushState(null, '', hash);
    showDetails();
    draw();
  }

  function search() {
    const wanted = byId('search').value.trim().toLowerCase();
    const matches =
      wanted === '' ? byDegree : byDegree.filter((category) => folded[category].includes(wanted));
    // Those that begin with it first; the sort keeps the order of degrees.
    if (wanted !== '')
      matches.sort((a, b) => Number(folded[b].startsWith(wanted)) - Number(folded[a].startsWith(wanted)));
    byId('found').textContent =
      wanted === '' ? 'Those with the most edges:' : `${count(matches.length)} found`;
    byId('results').replaceChildren(
      ...matches.slice(0, FOUND).map((category) => {
        const edgesOf = element('span', { className: 'count', textContent: count(degree(category)) });
        return element('li', {}, [categoryButton(category, [edgesOf])]);
      }),
    );
    return matches;
  }

  function fromHash() {
    let name = '';
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {
      // Not one of this page's.
    }
    const category = names.indexOf(name);
    if (category >= 0) state.chosen = category;
    showDetails();
    draw();
  }

  const totals = relations.map(() => 0);
  for (const [, , relation] of edges) totals[relation]++;
  byId('relations').append(
    ...relations.map((name, relation) => {
      const box = element('input', { type: 'checkbox', checked: true });
      box.addEventListener('change', () => {
        if (box.checked) shown.add(relation);
        else shown.delete(relation);
        showDetails();
        draw();
      });
      return element('label', {}, [
        box,
        element('span', { className: `swatch ${name}` }),
        name,
        element('span', { className: 'count', textContent: count(totals[relation]) }),
      ]);
    }),
  );
  byId('strength').addEventListener('input', ({ target }) => {
    state.strength = Number(target.value);
    byId('strength-value').textContent = target.value;
    showDetails();
    draw();
  });
  byId('among').addEventListener('change', draw);
  byId('search').addEventListener('input', search);
  byId('search').addEventListener('keydown', ({ key }) => {
    const [first] = key === 'Enter' ? search() : [];
    if (first !== undefined) choose(first);
    if (key === 'ArrowDown') byId('results').querySelector('button')?.focus();
  });
  byId('whole').addEventListener('click', () => {
    state.whole = !state.whole;
    draw();
  });
  const zoomBy = (factor) =>
    drawing.zoom({
      level: drawing.zoom() * factor,
      renderedPosition: { x: drawing.width() / 2, y: drawing.height() / 2 },
    });
  byId('zoom-in').addEventListener('click', () => zoomBy(1.25));
  byId('zoom-out').addEventListener('click', () => zoomBy(0.8));
  byId('fit').addEventListener('click', fit);
  const keys = {
    '+': () => zoomBy(1.25),
    '=': () => zoomBy(1.25),
    '-': () => zoomBy(0.8),
    0: fit,
    ArrowLeft: () => drawing.panBy({ x: 60, y: 0 }),
    ArrowRight: () => drawing.panBy({ x: -60, y: 0 }),
    ArrowUp: () => drawing.panBy({ x: 0, y: 60 }),
    ArrowDown: () => drawing.panBy({ x: 0, y: -60 }),
  };
  byId('canvas').addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawing.style(styleOf()));
  addEventListener('popstate', fromHash);
  addEventListener('hashchange', fromHash);
  addEventListener('resize', () => {
    drawing.resize();
    if (state.whole) fit();
    else draw();
  });
  search();
  fromHash();
})();
