// People with logins of their own on a control database, with exactly the grants that docs/how-to/install-a-fleet.md
// gives them.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { EngineContext } from '../../src/engine/context.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { readDocument } from '../docs/read-document.js';
import type { Fleet } from './fleet.js';

export interface TestPerson {
  /** The login. */
  readonly name: string;
  readonly controlUrl: string;
  /** The fleet's, as this person: control authenticates the login. */
  readonly engine: EngineContext;
  /** Runs SQL on control as this person. */
  sql(text: string, params?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
}

export interface TestPeople {
  readonly people: readonly TestPerson[];
  drop(): Promise<void>;
}

/** Logins `<name>_<random>`. Marks control as one whose people have logins of their own. Drop before the fleet. */
export async function createPeople(fleet: Fleet, ...names: readonly string[]): Promise<TestPeople> {
  const suffix = randomBytes(4).toString('hex');
  const operator = `operator_${suffix}`;
  await fleet.control((await readGrants()).replaceAll('credit_rollout_operator', operator));
  await fleet.control('update credit_rollout_control.rollout set embedded = false');
  const people = await Promise.all(
    names.map(async (name) => {
      await fleet.control(`create role ${name}_${suffix} login password 'secret' in role ${operator}`);
      return openPerson(fleet, `${name}_${suffix}`);
    }),
  );
  return {
    people: people.map(({ person }) => person),
    drop: async () => {
      await Promise.all(people.map(({ close }) => close()));
      for (const { person } of people) await fleet.control(`drop role ${person.name}`);
      await fleet.control(`drop owned by ${operator}; drop role ${operator}`);
    },
  };
}

/** The block of SQL under "People and logins". */
async function readGrants(): Promise<string> {
  const section = (await readDocument('docs/how-to/install-a-fleet.md')).split('## People and logins')[1];
  const sql = /```sql\n([\s\S]*?)```/u.exec(section ?? '')?.[1];
  if (sql === undefined) throw new Error('docs/how-to/install-a-fleet.md shows no grants');
  return sql;
}

function openPerson(fleet: Fleet, name: string): { readonly person: TestPerson; close(): Promise<unknown> } {
  const url = new URL(fleet.controlUrl);
  url.username = name;
  url.password = 'secret';
  const control = createControlDatabase(openPostgres({ url: url.href, applicationName: 'test', max: 4 }));
  const pool = new pg.Pool({ connectionString: url.href, max: 1 });
  pool.on('error', () => undefined);
  const person = {
    name,
    controlUrl: url.href,
    engine: { ...fleet.engine, control, actor: null },
    sql: async (text: string, params?: readonly unknown[]) => (await pool.query(text, params && [...params])).rows,
  };
  return { person, close: () => Promise.all([control.close(), pool.end()]) };
}
