// For knex's own command line (`node --import tsx node_modules/.bin/knex migrate:status --env control`). `init` is what
// makes and upgrades schemas: it holds the lock, reads the id type from the catalog, makes roles and views.
import type { Knex } from 'knex';
import { cellMigrations } from './migrations/cell/index.js';
import { controlMigrations } from './migrations/control/index.js';
import { migrationSource } from './migrations/migration.js';
import { readEnvironment } from './src/platform/environment.js';

const environment = (url: string | undefined, schemaName: string, source: Knex.MigratorConfig['migrationSource']) => ({
  client: 'pg',
  ...(url !== undefined && { connection: url }),
  migrations: { migrationSource: source, schemaName, tableName: 'migrations' },
});

const orgIdType = readEnvironment('CELL_ORG_ID_TYPE') ?? 'bigint';

const environments = {
  control: environment(
    readEnvironment('CONTROL_DATABASE_URL'),
    'credit_rollout_control',
    migrationSource(controlMigrations),
  ),
  cell: environment(
    readEnvironment('CELL_DATABASE_URL'),
    'credit_rollout',
    migrationSource(cellMigrations({ orgIdType, orgIdCollation: null })),
  ),
};

export default environments;
