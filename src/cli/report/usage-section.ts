// Whether their credits are enough for orgs: busiest days against new totals, and what calls cost.

import type { PlanReport, ShortOrg } from '../../domain/plan/plan-report.js';
import { CALL_COSTS, LIST_HEAVY } from '../../domain/usage/call-costs.js';
import { command, formatAdvice } from '../../kernel/advice.js';
import { html, type Markup } from '../../kernel/html.js';
import { showCount, showShare } from '../terminal/numbers.js';
import { right } from '../terminal/table.js';
import { describeOrg, ORG_TABLE_COLUMNS } from './changes-section.js';
import { renderTable } from './html-table.js';

/** Counts by edition; no org is named. */
export function renderUsage({ usage }: PlanReport): Markup {
  if (usage === null)
    return html`<p>The source has no <code>peak_credits</code>, and no meter counted, so the plan cannot tell whose busiest day needs more than the new total.</p>`;
  if (usage.every(({ short }) => short === 0))
    return html`<p class="good">✔ No paid org had a busiest day in the last 30 that is above its new total.</p>`;
  const rows = usage.map(({ edition, paid, short }) => [
    edition,
    showCount(paid),
    showCount(short),
    paid === 0 ? '–' : showShare(short / paid),
  ]);
  const columns = [{ title: 'Edition' }, right('Paid orgs'), right('Peak above total'), right('Share')];
  return html`<p>Paid orgs whose busiest day of the last 30, counted in credits, is above their new total. On such a day they would meet HTTP 429.</p>
${renderTable('By edition', columns, rows)}`;
}

/** Names orgs: only for the report of one data center. */
export function renderShortOrgs({ orgs, usage, dataCenter }: PlanReport): Markup {
  if (usage === null) return html``;
  if (orgs.short.length === 0) return html``;
  const columns = [
    ...ORG_TABLE_COLUMNS,
    right('Peak'),
    right('New total'),
    right('Missing'),
    right('Floor'),
    right('Proposed floor'),
  ];
  const propose = command`override ORG --dc ${dataCenter} --floor N --reason TEXT`;
  return html`<h3>Worst first</h3>
<p>The proposed floor would cover the peak. It is a proposal: <code>${formatAdvice([propose])}</code>, approved by a second person.</p>
${renderTable('Credits a day', columns, orgs.short.map(toRow))}`;
}

const toRow = (org: ShortOrg): readonly string[] => [
  ...describeOrg(org),
  showCount(org.peak),
  showCount(org.after),
  showCount(BigInt(org.peak) - BigInt(org.after)),
  org.floor === null ? '–' : showCount(org.floor),
  showCount(org.proposedFloor),
];

/** The same for every plan. */
export function renderCosts(): Markup {
  const rows = CALL_COSTS.map(({ call, credits }) => [call, credits]);
  return html`<h2 id="costs">What a call costs</h2>
<p>No paid org's daily number falls. A credit is not a call, though: under the API limit every call counted one, under credits a call costs by its kind. ${LIST_HEAVY} An org that mostly lists and searches needs several times its old number.</p>
${renderTable('Credits for each call', [{ title: 'Call' }, right('Credits')], rows)}
<p>Over the daily credits the API answers HTTP 429 <code>THRESHOLD_EXCEEDED</code> with <code>Retry-After</code>; over the concurrent calls 429 <code>TOO_MANY_REQUESTS</code> without it. Credits reset at 00:00 in the data center's time zone.</p>
`;
}
