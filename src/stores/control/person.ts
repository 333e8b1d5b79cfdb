// Who acts, as the control database knows it: the login that it authenticated; on the embedded servers, where everybody
// shares one login, the user of the machine that the process names. Never decides who may do what.
import type { ControlTransaction } from './control-database.js';

export interface Person {
  readonly name: string;
  /** What tells people apart here. */
  readonly knownBy: 'login' | 'machine';
}

/** `actor`: what the process says; believed only where init marked this database as embedded. Call before an approval. */
export async function identifyPerson(tx: ControlTransaction, actor: string | null): Promise<Person> {
  await tx.raw(`select set_config('credit_rollout_control.person', ?, true)`, [actor ?? '']);
  const { rows } = await tx.raw(
    `select credit_rollout_control.person() as name, case when embedded then 'machine' else 'login' end as "knownBy"
     from credit_rollout_control.rollout`,
  );
  return rows[0];
}

/** Remembers what the last `init` knew: whether everybody shares one login. */
export async function saveEmbedded(tx: ControlTransaction, kind: 'embedded' | 'own_logins'): Promise<void> {
  const embedded = kind === 'embedded';
  await tx.raw('update credit_rollout_control.rollout set embedded = ? where embedded <> ?', [embedded, embedded]);
}
