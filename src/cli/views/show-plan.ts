// `plan` for people and for programs: what would be written, in numbers. The screen lists no org.
import { countBranches, groupEditions, sumBranches } from '../../domain/plan/group-editions.js';
import type { BranchCount, PlannedOrg, PlanReport } from '../../domain/plan/plan-report.js';
import { showChange, showCount, showOrgs } from '../terminal/numbers.js';
import { type Paint, plainPaint } from '../terminal/paint.js';
import { indent, layOutRows, layOutTable, right } from '../terminal/table.js';
import {
  countPaidLeft,
  namePlan,
  RAIL_WORDS,
  showBatchSize,
  showDuration,
  showEdition,
  showSigned,
  showSnapshot,
  TOO_LONG,
  TRAPS,
} from './plan-words.js';

const DIGEST_SHOWN = 12;

/** The plan on screen; the command adds what to do next. */
export function showPlan(report: PlanReport, width: number, paint: Paint = plainPaint): string {
  return [
    ...showHead(report),
    '',
    ...showSymbols(report, width),
    '',
    ...showTotals(report),
    '',
    ...indent(layOutTable(COLUMNS, groupEditions(report.branches).map(showEdition), width - 2)),
    '',
    ...showRails(report, width, paint),
    '',
    ...showRest(report),
  ].join('\n');
}

function showHead(report: PlanReport): readonly string[] {
  const { dataCenter, zone, source, counts, card, digest } = report;
  const stored = digest === null ? 'nothing is stored' : `digest ${digest.slice(0, DIGEST_SHOWN)}`;
  return [
    `${report.planId === null ? 'What-if' : `Plan ${namePlan(report)}`} for ${dataCenter} (${zone}): ${showOrgs(counts.orgs)} of ${source}`,
    `Snapshot ${showSnapshot(report)}, rate card ${card.name} (${card.hash}), ${stored}`,
  ];
}

const SYMBOLS = [{ title: '' }, right(''), { title: '' }, { title: '' }];

function showSymbols(plan: PlanReport, width: number): readonly string[] {
  const { branches, counts, quarantined } = plan;
  const line = (symbol: string, pick: (branch: BranchCount) => boolean, what: string, more?: string) => {
    const sum = sumBranches(branches.filter(pick));
    const change = `${showSigned(BigInt(sum.after) - BigInt(sum.before))} credits a day`;
    return [symbol, showOrgs(sum.orgs), what, more === undefined ? change : `${change}; ${more}`];
  };
  const reasons = quarantined.map(({ reason, orgs }) => `${showCount(orgs)} ${reason}`).join(', ');
  const purchased = sumBranches(branches.filter((branch) => branch.purchased)).orgs;
  const topUps = `top-ups of ${showCount(counts.grandfathered)} over the rate card`;
  return [
    'Symbols:  ↑ credits win   = legacy number kept   · unpaid   + purchases   ↓ less than today   ! undecidable',
    ...indent(
      layOutTable(
        SYMBOLS,
        [
          line('↑', ({ paid, winner }) => paid && winner === 'credits', 'pay, and credits reach their number'),
          line('=', ({ winner }) => winner === 'legacy', 'pay, and keep their legacy number', topUps),
          line('·', ({ paid }) => !paid, 'do not pay (trial, lapsed, free)'),
          ['+', showOrgs(purchased), 'of these have purchases', 'carried one for one'],
          ['↓', showOrgs(sumBranches(branches).falling), 'of these get less than today', showFalling(plan)],
          [
            '!',
            showOrgs(counts.quarantined),
            'are quarantined: they keep what they have',
            reasons === '' ? 'none' : reasons,
          ],
          ...(plan.leftOut ? [['!', showOrgs(plan.leftOut), `are left out, ${TOO_LONG}`, 'in no other count']] : []),
        ],
        width - 2,
      ).slice(1),
    ),
  ];
}

function showFalling(plan: PlanReport): string {
  const { paidFalling, unpaidFalling } = plan.counts;
  const left = countPaidLeft(plan);
  const paid = `${showCount(paidFalling + left)} that pay${left === 0 ? '' : ', which an apply leaves as they are'}`;
  return `${paid}, ${showCount(unpaidFalling)} that do not`;
}

function showTotals({ counts }: PlanReport): readonly string[] {
  const left = counts.staleLeftOut === 0 ? [] : [`${showCount(counts.staleLeftOut)} left out as stale`];
  const parts = [
    `${showCount(counts.first)} first decisions`,
    `${showCount(counts.raises)} raises`,
    `${showCount(counts.unchanged)} unchanged`,
    `${showCount(counts.falls)} left for the nightly run, which may lower a stored number`,
    ...left,
  ];
  return [
    `  Credits a day: ${showCount(counts.before)} → ${showCount(counts.after)} (${showChange(counts.before, counts.after)})`,
    `  An apply writes ${showOrgs(counts.touched)}: ${parts.join(', ')}`,
  ];
}

const COLUMNS = [
  { title: 'EDITION' },
  right('ORGS'),
  right('PAID', 4),
  right('LEGACY KEPT', 2),
  right('FALLING', 3),
  right('CREDITS BEFORE', 1),
  right('AFTER'),
  right('CHANGE'),
];

/** Colours come after the layout, which counts characters. */
function showRails({ rails }: PlanReport, width: number, paint: Paint): readonly string[] {
  if (rails.length === 0) return ['  Guard-rails (limits that need a second person): none'];
  const columns = [{ title: 'GUARD-RAIL' }, right('VALUE'), right('LIMIT'), { title: '' }];
  const rows = rails.map(({ rail, value, limit, passes }) => [
    RAIL_WORDS[rail],
    value,
    limit,
    passes ? '✔ PASS' : '✖ FAIL',
  ]);
  const table = layOutRows(columns, rows, width - 2);
  return indent([
    ...table.titles,
    ...table.rows.flatMap((lines, index) =>
      lines.map((line) =>
        rails[index]?.passes ? line.replace('✔ PASS', paint('✔ PASS', 'green')) : paint(line, 'red'),
      ),
    ),
  ]);
}

function showRest(report: PlanReport): readonly string[] {
  const { counts, usage, duration, batchSize } = report;
  const { present, most } = countBranches(report.branches);
  const short = usage?.reduce((sum, edition) => sum + edition.short, 0) ?? 0;
  const paid = usage?.reduce((sum, edition) => sum + edition.paid, 0) ?? 0;
  return [
    `  Branches (kinds of decisions): ${present} present, at most ${most} for these editions`,
    ...(counts.traps === 0 ? [] : [`  Traps: ${showOrgs(counts.traps)}; ${TRAPS}`]),
    usage === null
      ? '  Usage: the source has no peak_credits, and no meter counted'
      : `  Usage: ${showCount(short)} of ${showCount(paid)} paid orgs had a busiest day above their new total`,
    ...(batchSize === null ? [] : [`  Batches: ${showBatchSize(batchSize)}`]),
    `  Expected duration of an apply: ${showDuration(duration)}`,
  ];
}

/**
 * The plan for programs, its lists of orgs included: only for the person who asked for this one data center. See
 * docs/reference/report.md.
 */
export function planDocument(report: PlanReport): Readonly<Record<string, unknown>> {
  const { biggestRaises, nearestFloor, short } = report.orgs;
  return {
    ...countsDocument(report),
    biggestRaises: biggestRaises.map(toOrgDocument),
    nearestFloor: nearestFloor.map(toOrgDocument),
    short: short.map(({ peak, proposedFloor, ...org }) => ({
      ...toOrgDocument(org),
      peakCredits: peak,
      proposedFloor,
    })),
  };
}

/**
 * The same without any org: for several data centers in one document. Keys are the cell's columns where there are any.
 */
export function countsDocument(report: PlanReport): Readonly<Record<string, unknown>> {
  const { counts, branches, card, orgs: _lists, ...rest } = report;
  const { before, after, grandfathered, quarantined, ...numbers } = counts;
  return {
    ...rest,
    cardName: card.name,
    cardHash: card.hash,
    ...numbers,
    quarantinedOrgs: quarantined,
    beforeCredits: before,
    totalCredits: after,
    grandfatheredCredits: grandfathered,
    pending: counts.touched > 0,
    insideRails: report.rails.every(({ passes }) => passes),
    editions: groupEditions(branches).map(nameSums),
    branches: branches.map(nameSums),
    biggestRaises: null,
    nearestFloor: null,
    short: null,
  };
}

const nameSums = <T extends Pick<BranchCount, 'before' | 'after' | 'grandfathered'>>(line: T) => {
  const { before, after, grandfathered, ...others } = line;
  return { ...others, beforeCredits: before, totalCredits: after, grandfatheredCredits: grandfathered };
};

function toOrgDocument({ before, after, ...org }: PlannedOrg): Readonly<Record<string, unknown>> {
  return { ...org, beforeCredits: before, totalCredits: after };
}
