// `quarantine` for people: counts by reason, then the orgs.

import type { QuarantineReport } from '../../engine/org/list-quarantine.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { indent, layOutTable } from '../terminal/table.js';

export function showQuarantine(report: QuarantineReport, commands: CommandNames, width: number): string {
  const { dataCenter, runId, reasons, orgs } = report;
  if (runId === null) return `${dataCenter}: no run yet, so nothing is quarantined.`;
  const total = reasons.reduce((sum, reason) => sum + reason.orgs, 0);
  if (total === 0) return `✔ ${dataCenter}: run ${runId} decided every org.`;
  const counts = layOutTable(
    [{ title: 'REASON' }, { title: 'ORGS', align: 'right' }],
    reasons.map((reason) => [reason.reason, showCount(reason.orgs)]),
    width - 2,
  );
  const list = layOutTable(
    [{ title: 'ORG' }, { title: 'REASON' }],
    orgs.map((org) => [showName(org.orgId), org.reason]),
    width - 2,
  );
  return [
    `! ${dataCenter}: run ${runId} quarantined ${showOrgs(total)}; they keep what the product enforces today`,
    '',
    ...indent(counts),
    '',
    ...indent(list),
    ...(orgs.length < total
      ? [
          `  … ${showCount(total - orgs.length)} more: ${commands.show(command`quarantine --dc ${dataCenter} --limit ${total}`)}`,
        ]
      : []),
    '',
    `Correct them in the source, then: ${commands.show(command`apply --dc ${dataCenter} --execute`)}`,
  ].join('\n');
}
