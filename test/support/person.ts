// People with logins of their own on a control database, in the roles that `init` makes.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { EngineContext } from '../../src/engine/context.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { type ControlRole, controlRoleName } from '../../src/stores/control/roles.js';
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

const BOTH = ['operator', 'approver'] as const;

/** A name alone: an operator who may also approve what others proposed. */
export type PersonSpec = string | { readonly name: string; readonly roles: readonly ControlRole[] };

/** Logins `<name>_<random>`. Marks control as one whose people have logins of their own. Drop before the fleet. */
export async function createPeople(fleet: Fleet, ...specs: readonly PersonSpec[]): Promise<TestPeople> {
  const suffix = randomBytes(4).toString('hex');
  await fleet.control('update credit_rollout_control.rollout set embedded = false');
  const people = await Promise.all(
    specs.map(async (spec) => {
      const { name, roles } = typeof spec === 'string' ? { name: spec, roles: BOTH } : spec;
      await fleet.control(`create role ${pg.escapeIdentifier(`${name}_${suffix}`)} login password 'secret'
        in role ${roles.map(controlRoleName).join(', ')}`);
      return openPerson(fleet, `${name}_${suffix}`);
    }),
  );
  return {
    people: people.map(({ person }) => person),
    drop: async () => {
      await Promise.all(people.map(({ close }) => close()));
      for (const { person } of people) await fleet.control(`drop role ${pg.escapeIdentifier(person.name)}`);
    },
  };
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
