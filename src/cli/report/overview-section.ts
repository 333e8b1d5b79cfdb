// The head of a plan's report: what it is of, its numbers at a glance, its totals and its guard-rails.

import { sumBranches, sumPurchases } from '../../domain/plan/group-editions.js';
import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup, nothing } from '../../kernel/html.js';
import { showChange, showCount, showOrgs } from '../terminal/numbers.js';
import { namePlan, RAIL_WORDS, showBatchSize, showDuration, showSigned, showSnapshot } from '../views/plan-words.js';
import { renderBars } from './bar-chart.js';
import { renderTable } from './html-table.js';

/** What a reader must know first: whether it may be applied, what it does, and whether the promise is kept. */
export function renderVerdict(report: PlanReport, outcome: PlanOutcome | null): Markup {
  const { counts, rails } = report;
  const failed = rails.filter(({ passes }) => !passes).length;
  const kept = counts.paidFalling === 0;
  const inside =
    failed === 0
      ? html`<p class="good">✔ Inside every guard-rail, the limits above which a second person must approve a plan.</p>`
      : html`<p class="bad">✖ Outside ${failed} of ${rails.length} guard-rails: a second person must approve it.</p>`;
  const promise = kept
    ? html`<p class="good">✔ No paid org is lowered.</p>`
    : html`<p class="bad">✖ ${showOrgs(counts.paidFalling)} that pay would be lowered: the promise is broken.</p>`;
  const followed =
    outcome === null
      ? nothing
      : html`<p class="${outcome.state === 'done' ? 'good' : 'bad'}">${outcome.state === 'done' ? '✔' : '⚠'} Run ${outcome.runId} followed this plan: ${outcome.state}.</p>`;
  const aside =
    counts.quarantined === 0 ? '' : ` ${showOrgs(counts.quarantined)} cannot be decided and keep what they have.`;
  return html`<div class="verdict${failed === 0 && kept ? '' : ' open'}">
${followed}${inside}${promise}<p>It writes ${showCount(counts.touched)} of ${showOrgs(counts.orgs)}. All credits a day: ${showCount(counts.before)} → ${showCount(counts.after)} (${showChange(counts.before, counts.after)}).${aside}</p>
</div>
`;
}

export function renderFacts(report: PlanReport): Markup {
  const { dataCenter, zone, source, author, card, digest } = report;
  return renderPairs([
    ['Plan', namePlan(report)],
    ['Data center', `${dataCenter} (${zone})`],
    ['Source', source],
    ['Snapshot', showSnapshot(report)],
    ['Rate card', `${card.name} (${card.hash})`],
    ['Digest', digest === null ? 'none: a what-if, nothing is kept' : html`<code>${digest}</code>`],
    ['Author', author],
    ...(report.batchSize === null ? [] : [['Batches', showBatchSize(report.batchSize)] as const]),
    ['Expected duration of an apply', showDuration(report.duration)],
  ]);
}

const renderPairs = (pairs: readonly (readonly [string, string | Markup])[]): Markup =>
  html`<dl class="facts">
${pairs.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>\n`)}</dl>
`;

/** A number and what it is, each; nothing of what does not occur. */
export function renderTiles({ counts }: PlanReport): Markup {
  const tiles: readonly (readonly [string, string])[] = [
    [showCount(counts.orgs), 'orgs read'],
    [
      showCount(counts.touched),
      `written: ${showCount(counts.first)} first decisions, ${showCount(counts.raises)} raises`,
    ],
    [`${showCount(counts.before)} → ${showCount(counts.after)}`, `credits a day, ${changeOf(counts)}`],
    [
      showCount(counts.legacyWins),
      `keep their legacy number, for ${showCount(counts.grandfathered)} credits a day over the rate card`,
    ],
    [showCount(counts.paidFalling), 'paid orgs are lowered'],
    [showCount(counts.unpaidFalling), 'orgs that do not pay get less than today'],
    [showCount(counts.quarantined), 'orgs cannot be decided: they are quarantined and keep what they have'],
    [showCount(counts.falls), 'orgs are left for the nightly run, which may lower a stored number'],
  ];
  return html`<ul class="tiles">
${tiles.filter(([value]) => value !== '0').map(([value, what]) => html`<li><strong>${value}</strong><span>${what}</span></li>\n`)}</ul>
`;
}

const changeOf = ({ before, after }: PlanReport['counts']): string =>
  `${showSigned(BigInt(after) - BigInt(before))} (${showChange(before, after)})`;

/** Before and after of the decided orgs. `id` sets its charts apart from those of other plans. */
export function renderTotals({ counts, branches }: PlanReport, id: string): Markup {
  const purchases = sumPurchases(sumBranches(branches));
  return renderBars({
    id: `${id}-totals`,
    title: 'Credits a day, today and after the change',
    description: `Today ${showCount(counts.before)}; after ${showCount(counts.after)}, of which ${showCount(counts.planCredits)} by the rate card, ${showCount(counts.grandfathered)} as top-ups and ${showCount(purchases)} purchased.`,
    bars: [
      {
        label: 'today',
        parts: [{ fill: 'before', size: BigInt(counts.before) }],
        value: showCount(counts.before),
      },
      {
        label: 'after',
        parts: [
          { fill: 'plan', size: BigInt(counts.planCredits) },
          { fill: 'topUp', size: BigInt(counts.grandfathered) },
          { fill: 'purchased', size: BigInt(purchases) },
        ],
        value: `${showCount(counts.after)} (${showChange(counts.before, counts.after)})`,
      },
    ],
  });
}

export function renderRails({ rails }: PlanReport): Markup {
  if (rails.length === 0) return html`<p>No guard-rail is set.</p>`;
  const failed = rails.filter(({ passes }) => !passes).length;
  const verdict =
    failed === 0
      ? html`<p class="good">✔ PASS: inside all ${rails.length} guard-rails</p>`
      : html`<p class="bad">✖ FAIL: outside ${failed} of ${rails.length} guard-rails; somebody else than the author must approve it</p>`;
  const columns = [
    { title: 'Guard-rail' },
    { title: 'Value', align: 'right' },
    { title: 'Limit', align: 'right' },
    { title: 'Result' },
  ] as const;
  const rows = rails.map(({ rail, value, limit, passes }) => [
    html`${RAIL_WORDS[rail]} <code>${rail}</code>`,
    value,
    limit,
    passes ? html`<span class="good">✔ PASS</span>` : html`<span class="bad">✖ FAIL</span>`,
  ]);
  return html`${verdict}${renderTable('Limits above which a plan needs a person', columns, rows)}`;
}
