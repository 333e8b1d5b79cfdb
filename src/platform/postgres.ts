// Opens pools on a Postgres. Knows nothing of rollouts; through PgBouncer in transaction mode it must keep working,
// so: no start-up options, no session state, no named statements. Nothing runs under the search_path of a database or a
// login, whose owner could have put functions of their own before those of the server.
import knex, { type Knex } from 'knex';
import pg from 'pg';
import type { ServerTls } from './tls.js';

export interface PostgresOptions {
  /** Without parameters about TLS: those are in `tls`. */
  readonly url: string;
  /** Left out: plain text. */
  readonly tls?: ServerTls;
  readonly applicationName: string;
  /** How many connections this pool has at most. */
  readonly max: number;
  /**
   * Runs on each new connection; if it rejects, the connection is not used. Each text is a transaction of its own, in
   * which names are those of the catalog; the rows are those of its last statement.
   */
  readonly onConnect?: (query: (sql: string) => Promise<readonly Record<string, unknown>[]>) => Promise<void>;
}

const DATE_OID = 1082;

// Scoped to the client: dates stay text (a date has no zone), int8 and numeric stay text (pg's own default).
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === DATE_OID ? (value: string) => value : pg.types.getTypeParser(oid, format as 'text'),
};

// knex would print the server's text, which may hold org data, to standard output
const ignore = (): void => undefined;
const SILENT = { warn: ignore, error: ignore, deprecate: ignore, debug: ignore };

interface Rows {
  readonly rows: Record<string, unknown>[];
}

interface RawConnection {
  query(sql: string): Promise<Rows | readonly Rows[]>;
}

// in the same round trip, which makes it one transaction
const CATALOG_ONLY = 'set local search_path = pg_catalog, pg_temp; set local row_security = off';

async function askCatalog(connection: RawConnection, sql: string): Promise<Rows['rows']> {
  const sent = await connection.query(`${CATALOG_ONLY}; ${sql}`);
  return [sent].flat().at(-1)?.rows ?? [];
}

/** A lazy pool: nothing connects before the first query. */
export function openPostgres(options: PostgresOptions): Knex {
  const { onConnect, tls = { ssl: false, Client: pg.Client } } = options;
  const { Client, ...encryption } = tls;
  const opened = knex({
    client: 'pg',
    // else knex asks for it on the first connection, before any statement of ours; it is the oldest that we support
    version: '14',
    connection: {
      connectionString: options.url,
      ...encryption,
      application_name: options.applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      types,
    } as Knex.PgConnectionConfig,
    pool: {
      min: 0,
      max: options.max,
      idleTimeoutMillis: 20_000,
      ...(onConnect && {
        afterCreate: (connection: RawConnection, done: (error: Error | null, connection: RawConnection) => void) => {
          onConnect((sql) => askCatalog(connection, sql)).then(
            () => done(null, connection),
            (error: Error) => done(error, connection),
          );
        },
      }),
    },
    acquireConnectionTimeout: 10_000,
    log: SILENT,
  }); // knex has no option for the class that it connects with
  if (Client !== pg.Client) opened.client.driver = Object.create(opened.client.driver, { Client: { value: Client } });
  return opened;
}
