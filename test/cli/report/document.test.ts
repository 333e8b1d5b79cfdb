// docs/report.md against what is written: every key of report.json and every column of orgs.csv, and none that is gone.
import { expect, test } from 'vitest';
import { renderReportJson } from '../../../src/cli/report/report-json.js';
import { EXPORT_COLUMNS } from '../../../src/stores/cell/plan/org-export.js';
import { readDocument, readTable, unquote } from '../../docs/read-document.js';
import { samplePlan } from './sample-plan.js';

const text = await readDocument('docs/report.md');

test('lists every key of a plan', () => {
  const keys = readTable(text, 'Plan').flatMap(([names = '']) => unquote(names).replaceAll('[]', '').split(', '));
  expect(keys.toSorted()).toEqual(Object.keys(JSON.parse(renderReportJson([samplePlan()])).plans[0]).toSorted());
});

test('lists every column of orgs.csv in order', () => {
  expect(readTable(text, 'orgs.csv').map(([name = '']) => unquote(name))).toEqual(EXPORT_COLUMNS);
});
