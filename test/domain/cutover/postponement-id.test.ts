// Names of postponements: there and back, and never taken for the name of a plan or an override.
import { describe, expect, test } from 'vitest';
import { parsePostponementId, showPostponementId } from '../../../src/domain/cutover/postponement-id.js';
import { parseOverrideId } from '../../../src/domain/plan/override-id.js';

describe('parsePostponementId', () => {
  test.each([
    ['in-c3', { dataCenter: 'in', postponementId: 3n }],
    ['us-east-2-c40', { dataCenter: 'us-east-2', postponementId: 40n }],
    ['a-c1-c2', { dataCenter: 'a-c1', postponementId: 2n }],
  ])('reads %s, and shows it the same', (text, id) => {
    expect(parsePostponementId(text)).toEqual(id);
    expect(showPostponementId(id)).toBe(text);
    expect(parseOverrideId(text)).toBeUndefined();
  });

  test.each(['in-7', 'in-o3', 'in-c0', 'in-c', 'c3', '-c3', 'in-c3 ', 'IN-c3', 'in-c1234567890123456789'])(
    'leaves %j to others',
    (text) => {
      expect(parsePostponementId(text)).toBeUndefined();
    },
  );
});
