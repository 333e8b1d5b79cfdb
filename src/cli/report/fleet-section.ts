// Several plans side by side. Counts only: the orgs of one data center are never shown beside those of another.

import type { PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { showChange, showCount, showRange } from '../terminal/numbers.js';
import { right } from '../terminal/table.js';
import { namePlan } from '../views/plan-words.js';
import { renderTable } from './html-table.js';

const COLUMNS = [
  { title: 'Data center' },
  { title: 'Plan' },
  right('Orgs'),
  right('Written'),
  right('Legacy kept'),
  right('Undecidable'),
  right('Credits before'),
  right('After'),
  right('Change'),
  right('Top-ups'),
  { title: 'Guard-rails' },
  right('Expected duration'),
];

/** Of all plans, before the first number. */
export function renderFleetVerdict(reports: readonly PlanReport[]): Markup {
  const outside = reports.filter(({ rails }) => rails.some(({ passes }) => !passes));
  const lowering = reports.filter(({ counts }) => counts.paidFalling > 0);
  const name = (list: readonly PlanReport[]): string => list.map(namePlan).join(', ');
  return html`<div class="verdict${outside.length + lowering.length === 0 ? '' : ' open'}">
${
  outside.length === 0
    ? html`<p class="good">✔ All ${reports.length} plans are inside their guard-rails, the limits above which a second person must approve a plan.</p>`
    : html`<p class="bad">✖ Outside their guard-rails: ${name(outside)}. A second person must approve them.</p>`
}${
  lowering.length === 0
    ? html`<p class="good">✔ No paid org is lowered.</p>`
    : html`<p class="bad">✖ Paid orgs would be lowered by ${name(lowering)}: the promise is broken.</p>`
}</div>
`;
}

export function renderFleet(reports: readonly PlanReport[]): Markup {
  const count = (column: 'orgs' | 'touched' | 'legacyWins' | 'quarantined'): string =>
    showCount(reports.reduce((sum, { counts }) => sum + counts[column], 0));
  const credits = (column: 'before' | 'after' | 'grandfathered'): string =>
    String(reports.reduce((sum, { counts }) => sum + BigInt(counts[column]), 0n));
  const totals = [
    html`<strong>all</strong>`,
    '',
    count('orgs'),
    count('touched'),
    count('legacyWins'),
    count('quarantined'),
    showCount(credits('before')),
    showCount(credits('after')),
    showChange(credits('before'), credits('after')),
    showCount(credits('grandfathered')),
    '',
    '',
  ];
  return renderTable('Plans in rollout order; sums in credits a day', COLUMNS, [...reports.map(toRow), totals]);
}

function toRow(report: PlanReport): readonly (string | Markup)[] {
  const { counts } = report;
  const passes = report.rails.every((rail) => rail.passes);
  return [
    report.dataCenter,
    namePlan(report),
    showCount(counts.orgs),
    showCount(counts.touched),
    showCount(counts.legacyWins),
    showCount(counts.quarantined),
    showCount(counts.before),
    showCount(counts.after),
    showChange(counts.before, counts.after),
    showCount(counts.grandfathered),
    passes ? html`<span class="good">✔ PASS</span>` : html`<span class="bad">✖ FAIL</span>`,
    showRange({ lowMs: report.duration.p50Ms, highMs: report.duration.p90Ms }),
  ];
}
