// Why a data center does not move, and since when: kept across ticks and schedulers.
import type { ControlTransaction } from './control-database.js';

export interface HoldRow {
  readonly code: string;
  readonly since: Date;
  readonly value: string | null;
  readonly limit: string | null;
  readonly release: string;
  readonly needsPerson: boolean;
}

export async function listHolds(tx: ControlTransaction, dataCenter: string): Promise<readonly HoldRow[]> {
  const { rows } = await tx.raw(
    `select code, since, value, limit_value as "limit", release, needs_person as "needsPerson"
     from credit_rollout_control.holds where data_center = ? order by position`,
    [dataCenter],
  );
  return rows;
}

/** The holds of every data center, in order. */
export async function listAllHolds(tx: ControlTransaction): Promise<(dataCenter: string) => readonly HoldRow[]> {
  const { rows } = await tx.raw(
    `select data_center as "dataCenter", code, since, value, limit_value as "limit", release, needs_person as "needsPerson"
     from credit_rollout_control.holds order by data_center, position`,
  );
  return (dataCenter) => rows.filter((row: { readonly dataCenter: string }) => row.dataCenter === dataCenter);
}

/** Replaces the holds of a data center; one that stays keeps its `since`. */
export async function saveHolds(
  tx: ControlTransaction,
  dataCenter: string,
  holds: readonly Omit<HoldRow, 'since'>[],
): Promise<void> {
  await tx.raw('delete from credit_rollout_control.holds where data_center = ? and not (code = any (?::text[]))', [
    dataCenter,
    holds.map((hold) => hold.code),
  ]);
  for (const [position, hold] of holds.entries())
    await tx.raw(
      `insert into credit_rollout_control.holds (data_center, code, value, limit_value, release, needs_person, position) values (?, ?, ?, ?, ?, ?, ?)
       on conflict (data_center, code) do update set value = excluded.value, limit_value = excluded.limit_value,
         release = excluded.release, needs_person = excluded.needs_person, position = excluded.position`,
      [dataCenter, hold.code, hold.value, hold.limit, hold.release, hold.needsPerson, position],
    );
}
