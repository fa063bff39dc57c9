/**
 * The import rule: imports go down this list or stay inside their folder, never up, never sideways.
 * Drivers (store/sqlite, ca/local, ...) are seen by config alone, through the tables in ca/index.ts
 * and store/index.ts; everyone else sees the contracts ca/ca.ts and store/store.ts.
 */
const layers = [
  ['main.ts', 'index.ts'],
  ['cli/'],
  ['server.ts'],
  ['server/'],
  ['pass-through/'],
  ['config/', 'est/', 'console/'],
  ['http/'],
  ['policy/'],
  ['ca/', 'auth/'],
  ['store/'],
  ['identity.ts', 'reserved-names.ts', 'ops/'],
  ['pkix/'],
  ['errors.ts'],
];

const pattern = (names) => `^src/(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})`;
const folderOf = (name) => name.replace(/\/$/, '');

const upward = layers
  .flatMap((layer, depth) =>
    layer.map((name) => {
      const aboveOrBeside = layers
        .slice(0, depth + 1)
        .flat()
        .filter((other) => other !== name);
      return {
        name: `${folderOf(name)}-imports-only-downward`,
        severity: 'error',
        from: { path: pattern([name]) },
        to: { path: pattern(aboveOrBeside) },
      };
    }),
  )
  .filter((rule) => rule.to.path !== '^src/()');

module.exports = {
  forbidden: [
    ...upward,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'drivers-only-through-their-table',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(config/|ca/|store/)' },
      to: {
        path: '^src/(ca|store)/',
        pathNot:
          '^src/(ca/ca|store/store|ca/local/(create|import|past|rollover|state)|ca/ejbca/import)\\.ts$',
      },
    },
    {
      name: 'express-only-in-est-and-server',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(server\\.ts|est/router\\.ts|console/)' },
      to: { path: 'node_modules/(@types/)?express' },
    },
    { name: 'nothing-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-dependency-in-the-product',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
