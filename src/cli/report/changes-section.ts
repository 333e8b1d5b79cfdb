// How much orgs change: the histogram, and by name those that rise most and those that are nearest to their floor.

import type { PlannedOrg, PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { showCount } from '../terminal/numbers.js';
import { right } from '../terminal/table.js';
import { showBar, showFactor } from '../views/plan-words.js';
import { renderBars } from './bar-chart.js';
import { renderTable } from './html-table.js';

/** Counts only. `id` sets its charts apart from those of other plans. */
export function renderHistogram({ histogram }: PlanReport, id: string): Markup {
  if (histogram.length === 0) return html`<p>No org can be decided.</p>`;
  const chart = renderBars({
    id: `${id}-changes`,
    title: 'Orgs by change of their daily number',
    description: 'One bar for each range of change in percent. The table below has the same numbers.',
    hasTable: true,
    bars: histogram.map((bar) => ({
      label: showBar(bar),
      parts: [{ fill: 'orgs', size: BigInt(bar.orgs) }],
      value: showCount(bar.orgs),
    })),
  });
  const rows = histogram.filter(({ orgs }) => orgs > 0).map((bar) => [showBar(bar), showCount(bar.orgs)]);
  return html`${chart}${renderTable('A range holds its lower end, not its upper one', [{ title: 'Change' }, right('Orgs')], rows)}`;
}

/** Names orgs: only for the report of one data center. */
export function renderNamedChanges({ orgs }: PlanReport): Markup {
  return html`${renderRaises(orgs.biggestRaises)}${renderNearest(orgs.nearestFloor)}`;
}

function renderRaises(raises: readonly PlannedOrg[]): Markup {
  if (raises.length === 0) return html`<h3>Biggest raises</h3><p>No org rises.</p>`;
  const columns = [
    ...ORG_TABLE_COLUMNS,
    right('Before'),
    right('After'),
    right('Factor'),
    right('By rate card'),
    right('Legacy limit'),
  ];
  const rows = raises.map((org) => [
    ...describeOrg(org),
    showCount(org.before),
    showCount(org.after),
    showFactor(org.before, org.after),
    showCount(org.planCredits),
    showCount(org.legacyLimit),
  ]);
  return html`<h3>Biggest raises</h3>${renderTable('The factor is after / before; credits a day', columns, rows)}`;
}

function renderNearest(nearest: readonly PlannedOrg[]): Markup {
  if (nearest.length === 0) return html`<h3>Nearest to their floor</h3><p>No paid org on credits has a floor.</p>`;
  const columns = [...ORG_TABLE_COLUMNS, right('By rate card'), right('Floor'), right('Above it'), right('After')];
  const rows = nearest.map((org) => [
    ...describeOrg(org),
    showCount(org.planCredits),
    org.floor === null ? '–' : showCount(org.floor),
    org.floor === null ? '–' : showCount(BigInt(org.planCredits) - BigInt(org.floor)),
    showCount(org.after),
  ]);
  return html`<h3>Nearest to their floor</h3>
<p>Paid orgs whose credits by the rate card are above their floor by the least. With fewer agents they are the next that need a top-up.</p>
${renderTable('Credits a day', columns, rows)}`;
}

export const ORG_TABLE_COLUMNS = [{ title: 'Org' }, { title: 'Edition' }, { title: 'Pays' }, right('Agents')];

const LONGEST_ID = 80;

/** The cells of ORG_TABLE_COLUMNS. */
export const describeOrg = ({ orgId, edition, paid, agents }: PlannedOrg): readonly string[] => [
  orgId.length > LONGEST_ID ? `${orgId.slice(0, LONGEST_ID - 1)}…` : orgId,
  edition,
  paid ? 'yes' : 'no',
  showCount(agents),
];
