// `plan` for people and for programs: what would be written, in numbers.
import type { PlanReport } from '../engine/plan-data-center.js';
import { showChange, showCount, showOrgs } from './show-number.js';
import { layOutTable } from './show-table.js';

export interface PlanView {
  readonly zone: string;
  readonly card: string;
}

export function showPlan(plan: PlanReport, { zone, card }: PlanView): string {
  const setAside = plan.quarantined.reduce((sum, { orgs }) => sum + orgs, 0);
  const reasons = plan.quarantined.map(({ reason, orgs }) => `${showCount(orgs)} ${reason}`).join(', ');
  const [titles = '', ...editions] = layOutTable(COLUMNS, plan.editions.map(toRow));
  return [
    `Plan for ${plan.dataCenter} (${zone}), rate card ${card}: ${showOrgs(plan.orgs)} read`,
    '',
    ...layOutTable(SYMBOLS, [
      ['+', showCount(plan.first), 'get their first allotment'],
      ['↑', showCount(plan.raises), 'are raised'],
      ['=', showCount(plan.unchanged), 'stay as they are'],
      ['↓', showCount(plan.falls), 'would fall: left for the nightly run'],
      ['!', showCount(setAside), `cannot be decided and are set aside${reasons === '' ? '' : `: ${reasons}`}`],
    ])
      .slice(1)
      .map((line) => `  ${line}`),
    '',
    `  Credits a day: ${showCount(plan.before)} → ${showCount(plan.after)} (${showChange(plan.before, plan.after)})`,
    `  Legacy number kept: ${showOrgs(plan.legacyWins)}, ${showCount(plan.grandfathered)} credits a day above the rate card`,
    `  Worse off at their first decision: ${showOrgs(plan.paidFalling)} that pay; ${showCount(plan.unpaidFalling)} that do not (trial, lapsed, free)`,
    '',
    `  ${titles}`,
    ...editions.map((line) => `  ${line}`),
  ].join('\n');
}

const right = (title: string) => ({ title, align: 'right' }) as const;
const SYMBOLS = [{ title: '' }, right(''), { title: '' }];
const COLUMNS = [
  { title: 'EDITION' },
  right('ORGS'),
  right('PAID'),
  right('LEGACY KEPT'),
  right('FALLING'),
  right('CREDITS BEFORE'),
  right('AFTER'),
  right('CHANGE'),
];

const toRow = (line: PlanReport['editions'][number]): readonly string[] => [
  line.edition,
  showCount(line.orgs),
  showCount(line.paid),
  showCount(line.legacyWins),
  showCount(line.falling),
  showCount(line.before),
  showCount(line.after),
  showChange(line.before, line.after),
];

/** With the names that the cell's columns have. */
export function planDocument({
  card,
  before,
  after,
  grandfathered,
  editions,
  ...plan
}: PlanReport): Readonly<Record<string, unknown>> {
  return {
    ...plan,
    cardHash: card,
    beforeCredits: before,
    totalCredits: after,
    grandfatheredCredits: grandfathered,
    editions: editions.map(({ before: was, after: is, ...line }) => ({
      ...line,
      beforeCredits: was,
      totalCredits: is,
    })),
  };
}
