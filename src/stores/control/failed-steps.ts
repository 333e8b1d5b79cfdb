// Steps of a data center that failed the last time a scheduler tried them. Codes and names of the catalog only.
import { execute, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface FailedStep {
  readonly step: string;
  /** Our code, a SQLSTATE, or the kind of the failure. */
  readonly code: string;
  /** The object of the catalog that the server named. */
  readonly object: string | null;
  /** In a row. */
  readonly times: number;
  /** The first of them. */
  readonly since: Date;
}

/** By data center. */
export async function listFailedSteps(tx: ControlTransaction): Promise<(dataCenter: string) => readonly FailedStep[]> {
  const rows = await selectRows<FailedStep & { readonly dataCenter: string }>(
    tx,
    `select data_center, step, code, object, times, since from credit_rollout_control.failed_steps
     order by data_center, since, step`,
  );
  return (dataCenter) => rows.filter((row) => row.dataCenter === dataCenter);
}

/** The database counts how often in a row, and since when. */
export async function saveFailedStep(
  tx: ControlTransaction,
  dataCenter: string,
  { step, code, object }: Pick<FailedStep, 'step' | 'code' | 'object'>,
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.failed_steps (data_center, step, code, object)
     values (:data_center, :step, :code, :object)
     on conflict (data_center, step) do update set code = excluded.code, object = excluded.object`,
    { data_center: dataCenter, step, code, object },
  );
}

export async function deleteFailedSteps(
  tx: ControlTransaction,
  dataCenter: string,
  steps: readonly string[],
): Promise<void> {
  await execute(tx, 'select credit_rollout_control.delete_failed_steps(:data_center, :steps::text[])', {
    data_center: dataCenter,
    steps,
  });
}
