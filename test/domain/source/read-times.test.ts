// What follows from how long one org and a list of orgs take to read.
import { describe, expect, test } from 'vitest';
import { fixedReadMs, isWholeForMany } from '../../../src/domain/source/read-times.js';

describe('fixedReadMs', () => {
  test.each([
    ['quick for one org, and no list was measured', 3, null, 0],
    ['quick for both', 3, 30, 0],
    ['computed as a whole for one org too', 900, 1_000, 900],
    ['computed as a whole for a list, though a key reaches it', 23, 1_000, 1_000],
    ['the same where one org counts as quick', 5, 1_000, 1_000],
    ['slow for each org', 186, 186 * 16, 0],
    ['never measured', null, null, 0],
  ])('is what each range costs of a view that is %s', (_, oneOrgMs, orgListMs, fixed) => {
    expect(fixedReadMs({ oneOrgMs, orgListMs })).toBe(fixed);
    expect(isWholeForMany({ oneOrgMs, orgListMs })).toBe(fixed > 0);
  });
});
