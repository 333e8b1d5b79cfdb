// How the server stores passwords. Only a superuser sees those that are stored; how new ones will be, everybody does.
import type { Knex } from 'knex';
import { selectRow, selectRows } from './query.js';

export interface StoredPasswords {
  /** What a password that is set from now on is stored as: `scram-sha-256` or `md5`. */
  readonly encryption: string;
  /** Logins whose password is stored as MD5, quoted for SQL; undefined: this login may not see that. */
  readonly md5Logins: readonly string[] | undefined;
}

/** Of the login of this connection, and of members of roles of ours, whose names begin with `prefix`. */
export async function readStoredPasswords(tx: Knex.Transaction, prefix: string): Promise<StoredPasswords> {
  const { encryption, readable } = await selectRow<{ readonly encryption: string; readonly readable: boolean }>(
    tx,
    `select current_setting('password_encryption') as encryption,
       has_table_privilege('pg_authid', 'select') as readable`,
  );
  if (!readable) return { encryption, md5Logins: undefined };
  const logins = await selectRows<{ readonly login: string }>(
    tx,
    `select format('%I', r.rolname) as login from pg_authid r
     where r.rolcanlogin and r.rolpassword ~ '^md5[0-9a-f]{32}$' and (r.rolname = session_user or exists (
       select from pg_roles o where o.rolname like :prefix and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')
         and not r.rolsuper))
     order by 1`,
    { prefix: `${prefix.replaceAll('_', String.raw`\_`)}%` },
  );
  return { encryption, md5Logins: logins.map(({ login }) => login) };
}
