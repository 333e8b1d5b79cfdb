// docs/reference/report.md against what is written: every key of report.json and every column of orgs.csv, and no
// others.
import { expect, test } from 'vitest';
import { renderReportJson } from '../../../src/cli/report/report-json.js';
import { EXPORT_COLUMNS } from '../../../src/stores/cell/plan/org-export.js';
import { readDocument, readListed, readTable, unquote } from '../../docs/read-document.js';
import { samplePlan } from './sample-plan.js';

const text = await readDocument('docs/reference/report.md');

test('lists every key of a plan', () => {
  const keys = readListed(text, 'Plan').map((name) => name.replaceAll('[]', ''));
  expect(keys.toSorted()).toEqual(Object.keys(JSON.parse(renderReportJson([samplePlan()])).plans[0]).toSorted());
});

test('lists every column of orgs.csv in order', () => {
  expect(readTable(text, 'orgs.csv').map(([name = '']) => unquote(name))).toEqual(EXPORT_COLUMNS);
});
