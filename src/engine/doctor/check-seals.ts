// Check of `doctor` on the keys that control and a cell share: without the same key, the cell accepts no approval.
import { advise, command } from '../../kernel/advice.js';
import { readCellFingerprint } from '../../stores/cell/setup/seal-key.js';
import { readControlFingerprint } from '../../stores/control/seals.js';
import type { OpenCell } from './check-cell.js';
import type { Finding, FindingRecorder } from './finding.js';

/** Nothing where control cannot say: that is a finding of its own. */
export async function checkSealKeys(
  { cell, control, dataCenter: { id } }: Pick<OpenCell, 'cell' | 'control' | 'dataCenter'>,
  record: FindingRecorder,
): Promise<Finding | readonly Finding[]> {
  const wanted = await control.inTransaction((tx) => readControlFingerprint(tx, id)).catch(() => undefined);
  if (wanted === undefined) return [];
  const found = await cell.inTransaction('reader', readCellFingerprint, { source: 'unread' });
  if (found !== null && found === wanted) return record.ok('the cell has the key of control');
  const what = found === null || wanted === null ? 'have no common key' : 'have different keys';
  const fix = advise`As the owner of both run: ${command`init --dc ${id}`}`;
  return record.error(`control and the cell ${what} for seals: the cell accepts no approval`, fix, 'seal_wrong');
}
