// report.json: plans for programs. docs/report.md describes it; a change that breaks a reader takes a new SCHEMA.
import type { PlanReport } from '../../domain/plan/plan-report.js';
import { countsDocument, planDocument } from '../show-plan.js';
import { toJson } from '../to-json.js';

const KIND = 'credit-rollout plan report';
const SCHEMA = 1;

/** One report: with the orgs that it names; several: counts only. */
export function renderReportJson(reports: readonly PlanReport[]): string {
  const plans = reports.map(reports.length === 1 ? planDocument : countsDocument);
  return `${JSON.stringify(toJson({ kind: KIND, schema: SCHEMA, plans }), null, 2)}\n`;
}

/** Whether a file that lies there is a report of ours, of any schema. */
export function isReportText(text: string): boolean {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null && 'kind' in document && document.kind === KIND;
  } catch {
    return false;
  }
}
