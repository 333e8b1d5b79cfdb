// Checks of `doctor` on transactions that lie prepared: they hold locks of ours, and no session shows them.
import { listPreparedTransactions, readMaxPrepared } from '../../stores/prepared-transactions.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

/** Nothing of ours prepares a transaction, so one in control was left there by somebody. */
export async function checkControlPrepared(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const { left, most } = await control.inTransaction(async (tx) => ({
    left: await listPreparedTransactions(tx),
    most: await readMaxPrepared(tx),
  }));
  if (left.length > 0)
    return left.map(({ gid, owner, preparedAt }) =>
      record.error(
        `${owner} prepared the transaction ${gid} at ${preparedAt.toISOString()}, which keeps its locks without a session`,
        `In this database, as that login or as a superuser, run ROLLBACK PREPARED with this name.`,
      ),
    );
  return most === 0
    ? [record.ok('no transaction can be left prepared')]
    : [
        record.warning(
          `max_prepared_transactions is ${most}: a login can leave a transaction prepared, which keeps locks without a session`,
          'Set max_prepared_transactions = 0 and restart the server, unless another program on it prepares transactions.',
        ),
      ];
}

/** The product may prepare its own; one that was forgotten stops batches and the gate. Its name may name an org. */
export async function checkCellPrepared(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const left = (await cell.asOwner(listPreparedTransactions)).filter(({ old }) => old);
  if (left.length === 0) return [record.ok('none was left prepared')];
  return left.map(({ owner, preparedAt }) =>
    record.warning(
      `a transaction of ${owner} was left prepared at ${preparedAt.toISOString()}, and keeps its locks without a session`,
      'Find its name in pg_prepared_xacts; as that login or as a superuser, commit it or roll it back.',
    ),
  );
}
