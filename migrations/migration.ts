// The form of our migrations, and the list that knex gets: names have no extension, so that src and dist agree.
import type { Knex } from 'knex';

export interface Migration {
  /** `<timestamp>_<pre|post>_<verb>_<object>`; never changes once released. */
  readonly name: string;
  /** SQL to run; several statements allowed. */
  readonly up: string;
}

/** Adapts a fixed list to knex's migration source. */
export function migrationSource(migrations: readonly Migration[]): Knex.MigrationSource<Migration> {
  return {
    getMigrations: async () => [...migrations],
    getMigrationName: (migration) => migration.name,
    getMigration: async (migration) => ({
      up: async (db) => {
        await db.raw(migration.up);
      },
      down: async () => {
        throw new Error(`${migration.name} only goes forward`);
      },
    }),
  };
}
