// A plan, or the plans of several data centers, as one HTML file that needs no network and no script. With several data
// centers it names no org.
import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup, nothing } from '../../kernel/html.js';
import { namePlan, showSnapshot } from '../views/plan-words.js';
import { renderHistogram, renderNamedChanges } from './changes-section.js';
import { renderCoverage } from './coverage-section.js';
import { renderEditions } from './editions-section.js';
import { renderExceptions } from './exceptions-section.js';
import { renderFleet, renderFleetVerdict } from './fleet-section.js';
import { renderOutcome } from './outcome-section.js';
import { renderFacts, renderRails, renderTiles, renderTotals, renderVerdict } from './overview-section.js';
import { STYLE } from './style.js';
import { renderCosts, renderShortOrgs, renderUsage } from './usage-section.js';

/**
 * The whole document. One report: with the orgs that it names; several: counts only. `outcome`: what came of the one.
 */
export function renderHtml(reports: readonly PlanReport[], outcome: PlanOutcome | null = null): string {
  const [only, ...others] = reports;
  const single = only !== undefined && others.length === 0;
  const title = single ? titleOf(only) : `Plans of ${reports.length} data centers`;
  const body = single
    ? renderPlan(only, { id: 'plan', orgs: 'named', outcome })
    : html`${renderFleetVerdict(reports)}<h2>Side by side</h2>${renderFleet(reports)}${reports.map(
        (report, index) =>
          html`<h2>${titleOf(report)}</h2>${renderPlan(report, { id: `plan-${index + 1}`, orgs: 'counted', outcome: null })}`,
      )}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${{ markup: STYLE }}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>${outcome === null ? 'What an apply would do.' : 'What it said an apply would do, and what came of it.'} Nothing was changed by making this report.${single ? '' : ' A report over several data centers has counts only.'}</p>
</header>
<main>
${body}
${renderCosts()}</main>
<footer>
<p>Made by credit-rollout. ${reports.map((report) => html`${namePlan(report)}: snapshot ${showSnapshot(report)}. `)}${single ? 'This file names orgs: it belongs where the data center is.' : ''}</p>
</footer>
</body>
</html>
`.markup;
}

const titleOf = (report: PlanReport): string =>
  report.planId === null ? `What-if for ${report.dataCenter}` : `Plan ${report.planId} for ${report.dataCenter}`;

interface PlanSections {
  /** Unique in the document. */
  readonly id: string;
  readonly orgs: 'named' | 'counted';
  readonly outcome: PlanOutcome | null;
}

function renderPlan(report: PlanReport, { id, orgs, outcome }: PlanSections): Markup {
  const sections = [
    ...(outcome === null
      ? []
      : [{ key: 'outcome', title: 'Predicted against actual', body: renderOutcome(report, outcome) }]),
    { key: 'totals', title: 'Totals', body: renderTotals(report, id) },
    { key: 'rails', title: 'Guard-rails', body: renderRails(report) },
    { key: 'editions', title: 'By edition', body: renderEditions(report, id) },
    {
      key: 'changes',
      title: 'Changes',
      body: html`${renderHistogram(report, id)}${orgs === 'named' ? renderNamedChanges(report) : nothing}`,
    },
    { key: 'exceptions', title: 'Falls, traps, undecidable orgs', body: renderExceptions(report) },
    { key: 'coverage', title: 'Branch coverage', body: renderCoverage(report) },
    {
      key: 'usage',
      title: 'Usage',
      body: html`${renderUsage(report)}${orgs === 'named' ? renderShortOrgs(report) : nothing}`,
    },
  ];
  const links = sections.map(({ key, title }) => html`<li><a href="#${id}-${key}">${title}</a></li>`);
  const heading = (key: string, title: string): Markup =>
    orgs === 'named' ? html`<h2 id="${id}-${key}">${title}</h2>` : html`<h3 id="${id}-${key}">${title}</h3>`;
  return html`${renderVerdict(report, outcome)}${renderTiles(report)}${renderFacts(report)}<nav aria-label="Sections of ${titleOf(report)}"><ul>${links}</ul></nav>
${sections.map(({ key, title, body }) => html`<section aria-labelledby="${id}-${key}">${heading(key, title)}${body}</section>\n`)}`;
}
