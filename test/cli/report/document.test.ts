// docs/report.md against what is written: every key of report.json and every column of orgs.csv, and none that is gone.
import { expect, test } from 'vitest';
import { planDocument } from '../../../src/cli/show-plan.js';
import { toJson } from '../../../src/cli/to-json.js';
import { EXPORT_COLUMNS } from '../../../src/stores/cell/org-export.js';
import { readDocument, readTable, unquote } from '../../docs/read-document.js';
import { samplePlan } from './sample-plan.js';

const text = await readDocument('docs/report.md');

test('lists every key of a plan', () => {
  const keys = readTable(text, 'Plan').flatMap(([names = '']) => unquote(names).replaceAll('[]', '').split(', '));
  expect(keys.toSorted()).toEqual(Object.keys(toJson(planDocument(samplePlan())) as object).toSorted());
});

test('lists every column of orgs.csv in order', () => {
  expect(readTable(text, 'orgs.csv').map(([name = '']) => unquote(name))).toEqual(EXPORT_COLUMNS);
});
