// A login with a plain client: what it tries is what anybody with its password can try, with no code of ours between.
import pg from 'pg';

export interface Attacker {
  /** The login. */
  readonly name: string;
  /**
   * Sends statements one after the other in a session of its own, and ends it. `done`, or the SQLSTATE of the first
   * that fails; what was committed before it stays.
   */
  attempt(...statements: readonly string[]): Promise<string>;
  /** The rows of the last of these statements; throws what the server says. */
  read(...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  /** A connection that stays open, for what needs two transactions at once. Call end(). */
  connect(): Promise<pg.Client>;
}

/** `url`: of the database, as anybody. */
export function openAttacker(url: string, name: string): Attacker {
  const own = new URL(url);
  own.username = name;
  own.password = 'secret';
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: own.href, application_name: 'psql' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  let idle: pg.Client | undefined;
  const take = async (): Promise<pg.Client> => {
    const client = idle ?? (await connect());
    idle = undefined;
    return client;
  };
  // a new session in all but the login, which costs more than what is tried
  const giveBack = async (client: pg.Client): Promise<void> => {
    try {
      await client.query('rollback');
      await client.query('discard all');
      if (idle === undefined) idle = client;
      else await client.end();
    } catch {
      await client.end();
    }
  };
  const read: Attacker['read'] = async (...statements) => {
    const client = await take();
    try {
      let rows: readonly Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await client.query(statement)).rows ?? [];
      return rows;
    } finally {
      await giveBack(client);
    }
  };
  const attempt: Attacker['attempt'] = async (...statements) => {
    try {
      await read(...statements);
      return 'done';
    } catch (error) {
      return String((error as { code?: unknown }).code ?? error);
    }
  };
  return { name, attempt, read, connect };
}

/** SQL that fails where a login may lock a table of this schema against others; one statement, since it tries many. */
export const lockEveryTable = (schema: string): string => `do $$
declare
  found_table regclass; mode text; tried integer := 0;
begin
  for found_table in select c.oid from pg_class c
    where c.relnamespace = (select n.oid from pg_namespace n where n.nspname = '${schema}') and c.relkind = 'r'
  loop
    foreach mode in array '{share,exclusive,access exclusive}'::text[] loop
      begin
        execute format('lock table %s in %s mode nowait', found_table, mode);
        raise assert_failure using message = found_table::text;
      exception when insufficient_privilege then tried := tried + 1;
      end;
    end loop;
  end loop;
  if tried < 60 then raise 'only % tables are there', tried / 3; end if;
end $$`;
