// Who may import whom, room by room. CommonJS because the tool wants it so.

/** A room may reach no file of ours and no package but these; the files `free` may use any package. */
function room(name, path, { own, packages, comment, free }) {
  const builtin = name === 'kernel' || name === 'domain' ? [] : ['core'];
  return [
    {
      name: `${name}-rooms`,
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

const npm = (...names) => names.map((name) => `(^|/)node_modules/(@types/)?${name}/`);
const KERNEL = '^src/kernel/';
const DOMAIN = '^src/domain/';
const STORES = '^src/stores/';
const ENGINE = '^src/engine/';

module.exports = {
  forbidden: [
    ...room('kernel', KERNEL, { own: [], packages: [], comment: 'words everyone shares: imports nothing' }),
    ...room('domain', DOMAIN, {
      own: [KERNEL],
      packages: [...npm('luxon', 'zod', 'yaml'), '^crypto$'],
      comment: 'decides: no I/O, no clock; of Node only hashes',
    }),
    ...room('control', '^src/stores/control/', {
      own: [KERNEL, DOMAIN, '^src/stores/[^/]+\\.ts$', '^migrations/(control/|migration\\.ts)'],
      packages: npm('knex'),
      comment: 'the only SQL on the control database; knows no cell',
    }),
    ...room('cell', '^src/stores/cell/', {
      own: [KERNEL, DOMAIN, '^src/stores/[^/]+\\.ts$', '^migrations/(cell/|migration\\.ts)'],
      packages: [...npm('knex', 'pg-copy-streams'), '^stream$'],
      comment: 'the only SQL on a cell; knows no control table',
    }),
    ...room('engine', ENGINE, { own: [KERNEL, DOMAIN, STORES], packages: [], comment: 'no SQL, no BullMQ' }),
    ...room('jobs', '^jobs/', {
      own: [KERNEL, ENGINE],
      packages: npm('bullmq'),
      free: '^jobs/queue/connection\\.ts$', // makes the connections that BullMQ wants: ioredis and pg
      comment: 'no SQL, no decisions',
    }),
    ...room('cli', '^src/cli/', {
      own: [KERNEL, DOMAIN, ENGINE, '^src/compose\\.ts$'],
      packages: npm('commander'),
      comment: 'speaks to people: no SQL, no BullMQ',
    }),
    ...room('platform', '^src/platform/', {
      own: [KERNEL],
      packages: npm('knex', 'pg', 'pino', 'ioredis'),
      comment: 'wraps the machine: knows no rollouts',
    }),
    ...room('migrations', '^migrations/', {
      own: [KERNEL, '^src/domain/rollout/stage\\.ts$'], // the one table of transitions, which the database holds too
      packages: npm('knex'),
      comment: 'stand alone: a released one never changes',
    }),
    {
      name: 'no-circles',
      comment: 'a circle of imports is a room without a door',
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
