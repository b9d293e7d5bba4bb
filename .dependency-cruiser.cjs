/** Boundaries between the rooms (docs/architecture.md): what each folder may reach. */
const room = (name, allowed) => ({
  name: `${name}-imports`,
  severity: 'error',
  from: { path: `^${name}/` },
  to: {
    path: '^(workflows|activities|workers|model|data|cli|infra|test|bench)/',
    pathNot: `^(${[name, ...allowed].join('|')})/`,
    dependencyTypesNot: ['type-only'],
  },
});

module.exports = {
  forbidden: [
    {
      name: 'workflow-sandbox',
      comment: 'No Node built-in and no native or server-side package is reachable from workflow code.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        path: [
          '^(node:)?(fs|path|os|child_process|worker_threads|crypto|net|http|https|stream|process|url|buffer)($|/)',
          'node_modules/(sharp|onnxruntime|@aws-sdk|hyparquet|@temporalio/(worker|client|activity))',
        ],
        reachable: true,
      },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    room('data', []),
    room('model', ['data']),
    room('infra', ['data']),
    room('activities', ['model', 'data', 'workflows']),
    room('workers', ['activities', 'workflows', 'model', 'data', 'infra']),
    room('cli', ['workflows', 'data', 'infra', 'workers', 'model']),
    {
      name: 'workflows-imports',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^(workers|model|cli|infra|activities)/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js'],
    },
  },
};
