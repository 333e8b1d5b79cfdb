// What operators set of the checks of a data center, and its checks as they are in force. The database signs who set
// it and when, and ends what is looser than the policy by itself.
import type { CheckInForce } from '../../domain/checks/check-limit.js';
import { execute, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface CheckLimit {
  readonly dataCenter: string;
  /** Of the check. */
  readonly name: string;
  readonly kind: 'tightened' | 'loosened';
  /** In ms for a time; null: the check is off. */
  readonly limit: number | null;
  readonly reason: string;
  readonly setBy: string;
  readonly setAt: Date;
  /** When it ends by itself; null: it is stricter, and stays. */
  readonly until: Date | null;
}

/** Those that are in force now, of all data centers; by name. */
export function listCheckLimits(tx: ControlTransaction): Promise<readonly CheckLimit[]> {
  return selectRows<CheckLimit>(
    tx,
    `select data_center, name, kind, limit_value as "limit", reason, set_by, set_at, until
     from credit_rollout_control.check_limits
     where ended_at is null and (until is null or until > clock_timestamp())
     order by data_center, name, kind`,
  );
}

/** Writes over what was set of the same kind. Call `identifyPerson` first. */
export async function saveCheckLimit(
  tx: ControlTransaction,
  limit: Pick<CheckLimit, 'dataCenter' | 'name' | 'kind' | 'limit' | 'reason'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.check_limits (data_center, name, kind, limit_value, reason)
     values (:data_center, :name, :kind, :limit_value::float8, :reason)
     on conflict (data_center, name, kind) do update
       set limit_value = excluded.limit_value, reason = excluded.reason, ended_at = null`,
    {
      data_center: limit.dataCenter,
      name: limit.name,
      kind: limit.kind,
      limit_value: limit.limit,
      reason: limit.reason,
    },
  );
}

/** Takes back what was set of a check; of every kind. */
export async function endCheckLimits(tx: ControlTransaction, dataCenter: string, name: string): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.check_limits set ended_at = clock_timestamp()
     where data_center = :data_center and name = :name and ended_at is null
       and (until is null or until > clock_timestamp())`,
    { data_center: dataCenter, name },
  );
}

/** The checks of each data center now, with what operators set. */
export async function listChecksInForce(
  tx: ControlTransaction,
): Promise<(dataCenter: string) => readonly CheckInForce[]> {
  const rows = await selectRows<{ readonly id: string; readonly checks: readonly CheckInForce[] }>(
    tx,
    'select id, credit_rollout_control.checks_of(id) as checks from credit_rollout_control.data_centers',
  );
  const byId = new Map(rows.map(({ id, checks }) => [id, checks]));
  return (dataCenter) => byId.get(dataCenter) ?? [];
}
