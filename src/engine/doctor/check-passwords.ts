// The check of `doctor` on passwords that a server stores as MD5: who reads one, or listens to a login without TLS, can
// guess it. What is stored only a superuser sees; other logins are told how new passwords are stored.
import { cellRoleName } from '../../stores/cell/cell-database.js';
import { readStoredPasswords, type StoredPasswords } from '../../stores/stored-passwords.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

export async function checkCellPasswords(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const prefix = cellRoleName(cell.dataCenter, 'worker').replace(/worker$/u, '');
  return judge(await cell.asOwner((tx) => readStoredPasswords(tx, prefix)), record);
}

export async function checkControlPasswords(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  return judge(await control.inTransaction((tx) => readStoredPasswords(tx, 'credit_rollout_control_')), record);
}

const SCRAM = `SET password_encryption = 'scram-sha-256';`;

function judge({ encryption, md5Logins }: StoredPasswords, record: FindingRecorder): readonly Finding[] {
  const findings = [
    ...(md5Logins ?? []).map((login) =>
      record.warning(
        `the password of the login ${login} is stored as MD5, which can be guessed from what is stored or sent`,
        `As a superuser run: ${SCRAM} then set its password again: ALTER ROLE ${login} PASSWORD '…';`,
      ),
    ),
    ...(encryption === 'md5'
      ? [
          record.warning(
            'passwords that are set from now on are stored as MD5 (password_encryption)',
            `As a superuser run: ALTER SYSTEM SET password_encryption = 'scram-sha-256'; SELECT pg_reload_conf();`,
          ),
        ]
      : []),
  ];
  if (findings.length > 0) return findings;
  return [
    record.ok(
      md5Logins === undefined
        ? 'new passwords are stored as SCRAM; how the others are stored, only a superuser sees'
        : 'no login of ours has a password that is stored as MD5',
    ),
  ];
}
