// Who acts, as the control database knows it: the login that it authenticated. On the embedded servers everybody shares
// one login: there it is the user of the machine that the process names. Never decides who may do what.
import { execute, selectRow } from '../query.js';
import type { ControlDatabase, ControlTransaction } from './control-database.js';

export interface Person {
  readonly name: string;
  /** What tells people apart here. */
  readonly knownBy: 'login' | 'machine';
}

/** The same database, each of whose transactions records this person; null: the login alone. */
export function recordAs(control: ControlDatabase, actor: string | null): ControlDatabase {
  if (actor === null) return control;
  return {
    ...control,
    inTransaction: (fn) =>
      control.inTransaction(async (tx) => {
        await setPerson(tx, actor);
        return fn(tx);
      }),
  };
}

/** Believed only where `init` marked this database as embedded. */
async function setPerson(tx: ControlTransaction, actor: string | null): Promise<void> {
  await execute(tx, `select set_config('credit_rollout_control.person', :actor, true)`, { actor: actor ?? '' });
}

/**
 * `actor`: who acts according to the process; used only where `init` marked this database as embedded. Call it before
 * any statement that records a person, in the same transaction.
 */
export async function identifyPerson(tx: ControlTransaction, actor: string | null): Promise<Person> {
  await setPerson(tx, actor);
  return selectRow<Person>(
    tx,
    `select credit_rollout_control.person() as name, case when embedded then 'machine' else 'login' end as known_by
     from credit_rollout_control.rollout`,
  );
}

/** Records whether everybody shares one login, as the newest `init` saw it. */
export async function saveEmbedded(tx: ControlTransaction, kind: 'embedded' | 'own_logins'): Promise<void> {
  await execute(tx, 'update credit_rollout_control.rollout set embedded = :embedded where embedded <> :embedded', {
    embedded: kind === 'embedded',
  });
}
