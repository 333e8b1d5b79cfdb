// Who may import whom: layer by layer, and inside the engine area by area. CommonJS because the tool wants it so.
// scripts/check-imports.mjs adds what rules cannot say: no circle between folders, and what a worker may reach.

/** A layer may import no file of ours and no package but these; the files `free` may use any package. */
function layer(name, path, { own, packages, comment, free }) {
  const builtin = name === 'kernel' || name === 'domain' ? [] : ['core'];
  return [
    {
      name: `${name}-layer`,
      comment,
      severity: 'error',
      from: { path },
      to: { path: '^(src|jobs|migrations|scripts|test)/', pathNot: [path, ...own] },
    },
    {
      name: `${name}-packages`,
      comment,
      severity: 'error',
      from: { path, ...(free && { pathNot: free }) },
      to: {
        dependencyTypesNot: ['local', ...builtin, 'type-only'],
        path: '.',
        pathNot: ['^(src|jobs|migrations)/', ...packages],
      },
    },
  ];
}

/** The engine's areas from the top: an area may import those of the lines below its own, and the shared files. */
const ENGINE_AREAS = [
  ['worker', 'operate'],
  ['scheduler'],
  ['rollout', 'reconcile', 'undo', 'usage'],
  ['batch', 'plan', 'doctor'],
  ['cutover', 'feed', 'org', 'setup'],
  ['settings'],
];

function engineAreas() {
  return ENGINE_AREAS.flatMap((areas, line) =>
    areas.map((area) => ({
      name: `engine-area-${area}`,
      comment: `an area imports only areas below it: ${ENGINE_AREAS.map((names) => names.join(', ')).join(' › ')}`,
      severity: 'error',
      from: { path: `^src/engine/${area}/` },
      to: {
        path: '^src/engine/[^/]+/',
        pathNot: `^src/engine/(${[area, ...ENGINE_AREAS.slice(line + 1).flat()].join('|')})/`,
      },
    })),
  );
}

const npm = (...names) => names.map((name) => `(^|/)node_modules/(@types/)?${name}/`);
const KERNEL = '^src/kernel/';
const DOMAIN = '^src/domain/';
const STORES = '^src/stores/';
const ENGINE = '^src/engine/';

module.exports = {
  forbidden: [
    ...layer('kernel', KERNEL, { own: [], packages: [], comment: 'words everyone shares: imports nothing' }),
    ...layer('domain', DOMAIN, {
      own: [KERNEL],
      packages: [...npm('luxon', 'zod', 'yaml'), '^crypto$'],
      comment: 'decides: no I/O, no clock; of Node only hashes',
    }),
    ...layer('control', '^src/stores/control/', {
      own: [KERNEL, DOMAIN, '^src/stores/[^/]+\\.ts$', '^migrations/(control/|migration\\.ts)'],
      packages: npm('knex'),
      comment: 'the only SQL on the control database; knows no cell',
    }),
    ...layer('cell', '^src/stores/cell/', {
      own: [KERNEL, DOMAIN, '^src/stores/[^/]+\\.ts$', '^migrations/(cell/|migration\\.ts)'],
      packages: [...npm('knex', 'pg-copy-streams'), '^stream$'],
      comment: 'the only SQL on a cell; knows no control table',
    }),
    ...layer('meter-store', '^src/stores/meter/', {
      own: [KERNEL, DOMAIN],
      packages: npm('ioredis'),
      comment: 'counts calls: the only Lua; knows no database',
    }),
    ...layer('meter', '^src/meter/', {
      own: [KERNEL, DOMAIN, '^src/stores/meter/'],
      packages: [],
      comment: 'the library of a gateway: reads limits through a port, so no SQL',
    }),
    ...layer('http', '^src/http/', {
      own: [KERNEL, DOMAIN, '^src/meter/'],
      packages: npm('zod', 'prom-client'),
      comment: 'speaks to gateways, orchestrators and Prometheus: no SQL, no Redis',
    }),
    ...layer('stores-shared', '^src/stores/[^/]+\\.ts$', {
      own: [KERNEL],
      packages: npm('knex'),
      comment: 'what both kinds of stores use: how statements are sent, what errors mean',
    }),
    ...layer('engine', ENGINE, { own: [KERNEL, DOMAIN, STORES], packages: [], comment: 'no SQL, no BullMQ' }),
    ...engineAreas(),
    {
      name: 'engine-shared',
      comment: 'the shared files of the engine know no area',
      severity: 'error',
      from: { path: '^src/engine/[^/]+\\.ts$' },
      to: { path: '^src/engine/[^/]+/' },
    },
    ...layer('jobs', '^jobs/', {
      own: [KERNEL, ENGINE],
      packages: npm('bullmq'),
      free: '^jobs/queue/connection\\.ts$', // makes the connections that BullMQ wants: ioredis and pg
      comment: 'no SQL, no decisions',
    }),
    ...layer('cli', '^src/cli/', {
      own: [
        KERNEL,
        DOMAIN,
        ENGINE,
        '^src/compose(-meter|-sample|-listener)?\\.ts$',
        '^src/platform/(environment|project-folder|shared-folder|held-folder|private-file)\\.ts$',
      ],
      packages: npm('commander', 'get-east-asian-width'),
      comment: 'speaks to people: no SQL, no BullMQ',
    }),
    ...layer('platform', '^src/platform/', {
      own: [KERNEL],
      packages: npm('knex', 'pg', 'pino', 'ioredis'),
      comment: 'wraps the machine: knows no rollouts',
    }),
    ...layer('sample', '^src/sample/', {
      own: [KERNEL, DOMAIN],
      packages: npm('pg'),
      comment: 'the embedded default: its configuration and its orgs',
    }),
    ...layer('migrations', '^migrations/', {
      own: [KERNEL, '^src/domain/rollout/stage\\.ts$'], // the one table of transitions, which the database holds too
      packages: npm('knex'),
      comment: 'stand alone: a released one never changes',
    }),
    {
      name: 'no-circles',
      comment: 'files that import each other cannot be read one after the other',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'an import that leads nowhere would pass every other rule',
      severity: 'error',
      from: { pathNot: '^src/platform/embedded/binaries\\.ts$' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|test)/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
