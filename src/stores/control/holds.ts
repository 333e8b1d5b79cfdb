// Why a data center does not move, and since when: saved, so that every tick and scheduler agree on it.
import { execute, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface HoldRow {
  readonly code: string;
  readonly since: Date;
  readonly value: string | null;
  readonly limit: string | null;
  /** The command that releases it, or what it waits for. */
  readonly release: string;
  readonly needsPerson: boolean;
}

const COLUMNS = 'code, since, value, limit_value as "limit", release, needs_person';

/** In the order in which they were decided. */
export async function listHolds(tx: ControlTransaction, dataCenter: string): Promise<readonly HoldRow[]> {
  return selectRows<HoldRow>(
    tx,
    `select ${COLUMNS} from credit_rollout_control.holds where data_center = :data_center order by position`,
    { data_center: dataCenter },
  );
}

/** The holds of every data center, in order; read them by data center. */
export async function listAllHolds(tx: ControlTransaction): Promise<(dataCenter: string) => readonly HoldRow[]> {
  const rows = await selectRows<HoldRow & { readonly dataCenter: string }>(
    tx,
    `select data_center, ${COLUMNS} from credit_rollout_control.holds order by data_center, position`,
  );
  return (dataCenter) => rows.filter((row) => row.dataCenter === dataCenter);
}

/** Replaces the holds of a data center. A hold that was there before keeps its `since`. */
export async function saveHolds(
  tx: ControlTransaction,
  dataCenter: string,
  holds: readonly Omit<HoldRow, 'since'>[],
): Promise<void> {
  await execute(tx, 'select credit_rollout_control.delete_holds(:data_center, :codes::text[])', {
    data_center: dataCenter,
    codes: holds.map(({ code }) => code),
  });
  for (const [position, { code, value, limit, release, needsPerson }] of holds.entries())
    await execute(
      tx,
      `insert into credit_rollout_control.holds
         (data_center, code, value, limit_value, release, needs_person, position)
       values (:data_center, :code, :value, :limit, :release, :needs_person, :position)
       on conflict (data_center, code) do update set
         value = excluded.value, limit_value = excluded.limit_value, release = excluded.release,
         needs_person = excluded.needs_person, position = excluded.position`,
      { data_center: dataCenter, code, value, limit, release, needs_person: needsPerson, position },
    );
}
