// `usage` of a data center for people: counts by edition, predicted against measured, and the orgs to look at.

import type { LeftOut } from '../../domain/usage/propose-floors.js';
import { groupBranches, sumBeyond } from '../../domain/usage/sum-editions.js';
import type { UsageProposals } from '../../engine/usage/propose-from-usage.js';
import type { CrowdedOrg, UsageReport, UsedOrg } from '../../engine/usage/read-usage.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { type Column, indent, layOutTable, right } from '../terminal/table.js';

interface UsageView {
  readonly commands: CommandNames;
  readonly width: number;
}

export function showUsage(report: UsageReport, { commands, width }: UsageView): string {
  const { dataCenter, today, firstDay, legacyToday, alerts80, alerts100, near, refusedSince } = report;
  if (firstDay === null) return `${dataCenter}: nothing was measured yet. A meter writes here what it counts.`;
  return [
    `${dataCenter}: usage on ${today}, measured since ${firstDay}`,
    '',
    ...indent(showEditions(report, width - 2)),
    '',
    '  80 %: used that much of their total today. REFUSED: for it, today.',
    ...(isInShadow(report) ? ['  SHADOW: not refused today; the limit only counts, and would have refused them.'] : []),
    `  SINCE: REFUSED${isInShadow(report) ? ' or SHADOW' : ''} since their migration, and on no day before.`,
    ...indent(describePrediction(report)),
    ...indent(describeBranches(report, width - 2)),
    ...(legacyToday === 0 ? [] : [`  Not migrated, with calls today: ${showOrgs(legacyToday)}.`]),
    ...(alerts80 + alerts100 === 0
      ? []
      : [`  Alerts today: ${showCount(alerts80)} at 80 %, ${showCount(alerts100)} with nothing left or refused.`]),
    ...listOrgs('At 80 % or more today, the fullest first', near, width),
    ...listOrgs(
      isInShadow(report)
        ? 'Refused since their migration, or it would have been (SHADOW), and not before'
        : 'Refused since their migration, and not before',
      refusedSince,
      width,
    ),
    ...listCrowded(report, width),
    '',
    `Next: ${commands.show(command`usage propose --dc ${dataCenter}`)}`,
  ].join('\n');
}

/** Whether a limit that only counts would have refused anybody; without it nobody needs to know of it. */
const isInShadow = ({ branches }: Pick<UsageReport, 'branches'>): boolean =>
  branches.some((one) => one.wouldBeRefusedToday + one.wouldBeRefusedSince + one.wouldBeConcurrencySince > 0);

function showEditions(report: UsageReport, width: number): readonly string[] {
  const inShadow = isInShadow(report);
  return layOutTable(
    [
      { title: 'EDITION' },
      right('ORGS', 1),
      right('ACTIVE', 3),
      right('USED TODAY', 2),
      ...numbers('80 %', 'REFUSED', ...(inShadow ? ['SHADOW'] : []), 'SINCE'),
      right('PREDICTED', 4),
    ],
    report.editions.map((one) => [
      one.edition,
      showCount(one.orgs),
      showCount(one.active),
      showCount(one.usedToday),
      showCount(one.near),
      showCount(one.refusedToday),
      ...(inShadow ? [showCount(one.wouldBeRefusedToday)] : []),
      showCount(sumBeyond(one)),
      one.predicted === null ? '–' : showCount(one.predicted),
    ]),
    width,
  );
}

const numbers = (...titles: readonly string[]): readonly Column[] => titles.map((title) => right(title));

function describePrediction({ plan, editions }: UsageReport): readonly string[] {
  const measured = editions.reduce((sum, one) => sum + one.measured, 0);
  if (plan === null)
    return [`PREDICTED: not known, no plan had measured peaks. Measured: ${showOrgs(measured)} that pay.`];
  const predicted = editions.reduce((sum, one) => sum + (one.predicted ?? 0), 0);
  return [
    `PREDICTED: paid orgs that plan ${plan} expected to be refused.`,
    `In all ${showCount(predicted)} were predicted, ${showCount(measured)} measured.`,
  ];
}

/** Only the branches in which somebody is refused or near: the others are in the document. */
function describeBranches({ branches }: UsageReport, width: number): readonly string[] {
  const inShadow = isInShadow({ branches });
  const rows = groupBranches(branches).map((one) => [
    one.name,
    ...[one.near, one.refusedToday, ...(inShadow ? [one.wouldBeRefusedToday] : [])].map(showCount),
    ...[sumBeyond(one), one.concurrencySince + one.wouldBeConcurrencySince].map(showCount),
  ]);
  if (rows.length === 0) return [];
  const titles = ['80 %', 'REFUSED', ...(inShadow ? ['SHADOW'] : []), 'SINCE', 'AT ONCE'];
  const columns = [{ title: 'BRANCH' }, ...numbers(...titles)];
  return ['', ...layOutTable(columns, rows, width), ''];
}

function listOrgs(title: string, orgs: readonly UsedOrg[], width: number): readonly string[] {
  if (orgs.length === 0) return [];
  const shadow = orgs.some(({ wouldBeRefused }) => wouldBeRefused !== '0') ? ['SHADOW'] : [];
  return [
    '',
    `  ${title}:`,
    ...indent(
      layOutTable(
        [{ title: 'ORG' }, { title: 'EDITION' }, ...numbers('USED TODAY', 'TOTAL', 'REFUSED', ...shadow)],
        orgs.map((org) => [
          showName(org.orgId),
          showName(org.edition),
          ...[org.used, org.total, org.refused, ...shadow.map(() => org.wouldBeRefused)].map(showCount),
        ]),
        width - 2,
      ),
    ),
  ];
}

function listCrowded({ crowded, crowdedOrgs }: UsageReport, width: number): readonly string[] {
  if (crowdedOrgs === 0) return [];
  const toRow = ({ orgId, edition, peakInFlight, concurrencyLimit }: CrowdedOrg): readonly string[] => [
    showName(orgId),
    showName(edition),
    ...[peakInFlight, concurrencyLimit].map(showCount),
  ];
  return [
    '',
    `  Not migrated, and with more calls at once than their edition will have: ${showOrgs(crowdedOrgs)}.`,
    ...indent(
      layOutTable(
        [{ title: 'ORG' }, { title: 'EDITION' }, ...numbers('AT ONCE', 'LIMIT')],
        crowded.map(toRow),
        width - 2,
      ),
    ),
  ];
}

const WHY: Readonly<Record<LeftOut, string>> = {
  enough: 'its busiest day leaves a fifth of its total',
  protected: 'it is protected: propose it by hand',
  proposed: 'an override waits for its approval',
  factor: 'more than guardRails.maxRaiseFactor',
  floor_over_plan: 'more than guardRails.floorOverPlan',
  rails: 'with it, all together leave the guard-rails',
};

export function showProposals(
  { dataCenter, executed, proposals, left }: UsageProposals,
  { commands, width }: UsageView,
): string {
  const made = proposals.filter(({ override }) => override !== null);
  const refused = proposals.filter(({ refusal }) => refusal !== null);
  const shadow = proposals.some(({ wouldBeRefused }) => wouldBeRefused > 0n) ? ['SHADOW'] : [];
  if (proposals.length + left.length === 0)
    return [
      `✔ ${dataCenter}: no paid org was or would have been refused, or used more than its total, in the last 30 whole days.`,
      'Today is counted from tomorrow on. To give an org more now:',
      `  ${commands.show(command`override ORG --dc ${dataCenter}`)} --floor N`,
    ].join('\n');
  return [
    executed
      ? `✔ ${dataCenter}: ${showCount(made.length)} overrides are proposed`
      : `${dataCenter}: ${showOrgs(proposals.length)} would get more`,
    ...(proposals.length === 0
      ? []
      : [
          '',
          ...indent(
            layOutTable(
              [
                { title: 'ORG' },
                { title: 'EDITION' },
                ...numbers('PEAK', 'REFUSED', ...shadow, 'TOTAL', 'FLOOR'),
                { title: executed ? 'OVERRIDE' : '' },
              ],
              proposals.map((org) => [
                showName(org.orgId),
                showName(org.edition),
                ...[org.peak, org.refused, ...shadow.map(() => org.wouldBeRefused)].map(showCount),
                ...[org.total, org.proposedFloor].map(showCount),
                org.override ?? '',
              ]),
              width - 2,
            ),
          ),
        ]),
    ...(shadow.length === 0 ? [] : ['  SHADOW: calls that a limit only counted, and would have refused.']),
    ...refused.map((org) => `  ! org ${showName(org.orgId)}: ${org.refusal ?? ''}`),
    ...(left.length === 0 ? [] : ['', ...left.map((org) => `  · org ${showName(org.orgId)}: ${WHY[org.why]}`)]),
    '',
    nextStep({ dataCenter, executed, made: made[0]?.override ?? null, wanted: proposals.length }, commands),
  ].join('\n');
}

interface Step {
  readonly dataCenter: string;
  readonly executed: boolean;
  readonly made: string | null;
  readonly wanted: number;
}

function nextStep({ dataCenter, executed, made, wanted }: Step, commands: CommandNames): string {
  if (made !== null)
    return `Nothing is changed until a second person approves each.\nNext: ${commands.show(command`approve ${made}`)}`;
  if (executed || wanted === 0) return 'Nothing was changed.';
  return `Nothing was changed.\nNext: ${commands.show(command`usage propose --dc ${dataCenter} --execute --reason TEXT`)}`;
}
