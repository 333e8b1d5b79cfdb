// The check of `doctor` on settings that a database or a login begins its sessions with: they can switch off what our
// databases enforce, or make statements of ours slow.
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { cellRoleName } from '../../stores/cell/cell-database.js';
import { listSessionSettings, type SessionSetting } from '../../stores/session-settings.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

export async function checkCellSettings(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const prefix = cellRoleName(cell.dataCenter, 'worker').replace(/worker$/u, '');
  return judge(await cell.asOwner((tx) => listSessionSettings(tx, prefix)), record);
}

export async function checkControlSettings(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  return judge(await control.inTransaction((tx) => listSessionSettings(tx, 'credit_rollout_control_')), record);
}

function judge(settings: readonly SessionSetting[], record: FindingRecorder): readonly Finding[] {
  if (settings.length === 0) return [record.ok('no session of ours begins with a setting that changes what it does')];
  return settings.map(({ name, reset }) =>
    name === 'session_replication_role'
      ? record.error(
          `sessions begin with ${name}: triggers do not fire in them, so nothing of ours is enforced`,
          `As a superuser run: ${toPastedSql(reset)}; and connect again.`,
        )
      : record.warning(
          `sessions begin with ${name}, which changes what our statements do`,
          `As the owner run: ${toPastedSql(reset)}; and connect again.`,
        ),
  );
}
