// What two people read before they adopt a copy of a cell.
import { expect, test } from 'vitest';
import { showAdoption } from '../../../src/cli/views/show-adoption.js';
import type { AdoptionReport } from '../../../src/engine/operate/adopt-cell.js';

const REPORT: AdoptionReport = {
  ...{ dataCenter: 'in', revision: 4, state: 'dry_run', adoption: null, author: null, approver: null, stage: 'done' },
  from: { systemIdentifier: '1', databaseName: 'desk' },
  to: { systemIdentifier: '2', databaseName: 'desk' },
  ...{ timelineChanged: true, frozen: false, leftBehind: false, epoch: { cell: 3n, control: 3n } },
  ...{ missing: { runs: [], plans: [] }, unknownRuns: [], notVerified: null },
};

test.each([
  [{}, true],
  [{ frozen: true }, false],
  [{ leftBehind: true }, false],
  [{ state: 'in_place' }, false],
] as const)('warns of a copy that was not frozen when it was made: %j', (own, warns) => {
  expect(showAdoption({ ...REPORT, ...own }, 'x').includes('it was not frozen when it was copied')).toBe(warns);
});
