// The policy, and the proposals to change it. The database records who proposes, approves and sets, applies an approved
// change by itself, and accepts no other.
import type { Policy, SettingValue } from '../../domain/config/policy.js';
import { execute, findRow, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface SettingRow {
  readonly name: string;
  readonly value: SettingValue;
  /** Who ran `init`, or approved the change. */
  readonly setBy: string;
  readonly setAt: Date;
  /** The change that set it; null: `init`. */
  readonly changeId: bigint | null;
}

export interface PolicyChange {
  readonly changeId: bigint;
  readonly name: string;
  readonly fromValue: SettingValue;
  readonly toValue: SettingValue;
  readonly reason: string;
  readonly author: string;
  readonly proposedAt: Date;
  readonly approver: string | null;
  readonly decidedAt: Date | null;
  readonly state: 'proposed' | 'applied' | 'withdrawn';
  /** Null: it was not, or by an earlier version. */
  readonly withdrawnBy: string | null;
  readonly withdrawnReason: string | null;
  /** One person proposed and approved it, on the embedded servers. */
  readonly alone: boolean;
}

/** Empty before the first `init`. */
export async function readPolicy(tx: ControlTransaction): Promise<Policy> {
  const rows = await selectRows<Pick<SettingRow, 'name' | 'value'>>(
    tx,
    'select name, value from credit_rollout_control.policy order by name',
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** By name. */
export async function listSettings(tx: ControlTransaction): Promise<readonly SettingRow[]> {
  const rows = await selectRows<Omit<SettingRow, 'changeId'> & { readonly changeId: string | null }>(
    tx,
    'select name, value, set_by, set_at, change_id from credit_rollout_control.policy order by name',
  );
  return rows.map((row) => ({ ...row, changeId: row.changeId === null ? null : BigInt(row.changeId) }));
}

/** Adds the settings that the policy does not have; as the owner. Returns their names. */
export async function insertMissingSettings(tx: ControlTransaction, policy: Policy): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly name: string }>(
    tx,
    `insert into credit_rollout_control.policy (name, value)
     select key, value from jsonb_each(:settings::jsonb)
     on conflict (name) do nothing
     returning name`,
    { settings: JSON.stringify(Object.fromEntries(policy)) },
  );
  return rows.map(({ name }) => name);
}

/** Adds data centers to their order, as the owner; every other change needs a proposal. */
export async function saveOrder(tx: ControlTransaction, ids: readonly string[]): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.policy
     set value = :ids::jsonb
     where name = 'dataCenters.order' and value <> :ids::jsonb`,
    { ids: JSON.stringify(ids) },
  );
}

const COLUMNS = `change_id, name, from_value, to_value, reason, author, proposed_at, approver, decided_at, state,
  withdrawn_by, withdrawn_reason, alone`;

type Stored = Omit<PolicyChange, 'changeId'> & { readonly changeId: string };

const toChange = (row: Stored): PolicyChange => ({ ...row, changeId: BigInt(row.changeId) });

/** Call `identifyPerson` first. A second open one of a setting raises 23505. */
export async function insertPolicyChange(
  tx: ControlTransaction,
  { name, toValue, reason }: Pick<PolicyChange, 'name' | 'toValue' | 'reason'>,
): Promise<PolicyChange> {
  const row = await selectRow<Stored>(
    tx,
    `insert into credit_rollout_control.policy_changes (name, to_value, reason)
     values (:name, :to_value::jsonb, :reason)
     returning ${COLUMNS}`,
    { name, to_value: JSON.stringify(toValue), reason },
  );
  return toChange(row);
}

export async function findPolicyChange(tx: ControlTransaction, changeId: bigint): Promise<PolicyChange | undefined> {
  const row = await findRow<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.policy_changes where change_id = :change_id::bigint`,
    { change_id: changeId },
  );
  return row && toChange(row);
}

/** The oldest first; `open`: those that wait for their approval. */
export async function listPolicyChanges(
  tx: ControlTransaction,
  which: 'open' | 'all',
): Promise<readonly PolicyChange[]> {
  const rows = await selectRows<Stored>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.policy_changes
     where :which = 'all' or state = 'proposed'
     order by change_id`,
    { which },
  );
  return rows.map(toChange);
}

/** Applies it, which puts it in force, or withdraws it with a reason. Undefined when it was decided already. */
export async function savePolicyDecision(
  tx: ControlTransaction,
  changeId: bigint,
  state: 'applied' | 'withdrawn',
  withdrawnReason: string | null = null,
): Promise<PolicyChange | undefined> {
  const row = await findRow<Stored>(
    tx,
    `update credit_rollout_control.policy_changes
     set state = :state, withdrawn_reason = :withdrawn_reason
     where change_id = :change_id::bigint and state = 'proposed'
     returning ${COLUMNS}`,
    { change_id: changeId, state, withdrawn_reason: withdrawnReason },
  );
  return row && toChange(row);
}
