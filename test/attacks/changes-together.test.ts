// Kind 5. What a statement changed is recorded, and its role asked for, when it ends: code inside the statement can have
// set another cause or role since its rows were looked at.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyAll, createTestCell, type TestCell } from '../support/cell.js';
import { REFUSED } from './cell-scene.js';

let cell: TestCell;
beforeAll(async () => {
  cell = await createTestCell({ orgs: [{}, {}] });
  await applyAll(cell);
});
afterAll(() => cell.drop());

const set = (name: string, value: string): string => `set_config('credit_rollout.${name}', '${value}', true)`;
const lower = (before: string, after: string): string => `
  update credit_rollout.allotments set floor = floor - 1 where org_id = 1 and ${before} is not null returning ${after}`;

describe('a statement that changes allotments', () => {
  test('lowers no floor under a cause that it takes back before its end', async () => {
    await expect(cell.sql(lower(set('cause', 'lapse'), set('cause', 'purchase')))).rejects.toMatchObject({
      code: REFUSED.restriction,
      constraint: 'allotments_floor_falls_only_with_cause',
    });
    await cell.sql(lower(set('cause', 'lapse'), set('cause', 'edition')));
    expect(
      await cell.sql('select cause, before ->> $1 as floor from credit_rollout.allotment_changes', ['floor']),
    ).toEqual([{ cause: 'edition', floor: '150000' }]);
  });

  test('is refused as the worker of another cell, which might be taken for ours', async () => {
    const other = `credit_rollout_other_${cell.database}_worker`;
    await cell.sql(`create role ${other} superuser`);
    try {
      const statement = 'update credit_rollout.allotments set agents = agents where org_id = 2';
      await expect(cell.sql(`begin; set local role ${other}; ${statement}; commit`)).rejects.toMatchObject({
        code: REFUSED.permission,
        message: 'this role is the worker of another cell',
      });
    } finally {
      await cell.sql('rollback');
      await cell.sql(`drop role ${other}`);
    }
  });
});
