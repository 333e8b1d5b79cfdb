// The form of our migrations, and the list that knex gets: names have no extension, so that src and dist agree.
import type { Knex } from 'knex';

export interface Migration {
  /** `<timestamp>_<pre|post>_<verb>_<object>`; never changes once released. */
  readonly name: string;
  /** SQL to run; several statements allowed. */
  readonly up: string;
}

/** SQL that gives every plpgsql function of a schema that has none a search path of its own. */
export const bindNamesSql = (schema: string): string => `
do $$
declare
  unbound regprocedure;
begin
  for unbound in
    select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
    where p.pronamespace = '${schema}'::regnamespace and l.lanname = 'plpgsql'
      and not exists (select from unnest(p.proconfig) s where s like 'search_path=%')
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', unbound);
  end loop;
end $$;`;

/**
 * plpgsql: a random key as the two pads of HMAC-SHA256, `inner_pad` and `outer_pad`; what to declare, and how to fill.
 */
export const randomPads = {
  declare: `secret bytea := sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
    || decode(repeat('00', 32), 'hex');
  inner_pad bytea := secret; outer_pad bytea := secret;`,
  fill: `for at in 0..63 loop
    inner_pad := set_byte(inner_pad, at, get_byte(secret, at) # 54);
    outer_pad := set_byte(outer_pad, at, get_byte(secret, at) # 92);
  end loop;`,
} as const;

/** SQL: HMAC-SHA256 of a document, in hex, with the pads of a row `k`. */
export const macSql = (document: string): string =>
  `encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(${document}::text, 'UTF8'))), 'hex')`;

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
