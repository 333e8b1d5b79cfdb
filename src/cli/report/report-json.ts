// report.json: plans for programs. docs/reference/report.md describes it. A change that breaks a reader takes a new
// SCHEMA.
import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import { formatJson } from '../terminal/to-json.js';
import { outcomeDocument } from '../views/show-outcome.js';
import { countsDocument, planDocument } from '../views/show-plan.js';

const KIND = 'credit-rollout plan report';
const SCHEMA = 1;

/** One report: with the orgs that it names; several: counts only. `outcome`: what came of the one. */
export function renderReportJson(reports: readonly PlanReport[], outcome: PlanOutcome | null = null): string {
  const toDocument = reports.length === 1 ? planDocument : countsDocument;
  const plans = reports.map((report) => ({
    ...toDocument(report),
    outcome: outcomeDocument(reports.length === 1 ? outcome : null),
  }));
  return formatJson({ kind: KIND, schema: SCHEMA, plans });
}

/** Whether a file that lies there is a report of ours, of any schema. */
export const isReportText = (text: string): boolean => parseReport(text) !== undefined;

/** Whether it is the report of this one plan, with the same digest. */
export function isReportOf(text: string, { planId, digest }: Pick<PlanReport, 'planId' | 'digest'>): boolean {
  const plans = parseReport(text)?.plans;
  const [only, ...others]: readonly unknown[] = Array.isArray(plans) ? plans : [];
  const same = (key: string, value: string | null): boolean => value !== null && isObject(only) && only[key] === value;
  return others.length === 0 && same('plan_id', planId) && same('digest', digest);
}

function parseReport(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isObject(document) && document.kind === KIND ? document : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
