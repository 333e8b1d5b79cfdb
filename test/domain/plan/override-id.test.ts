import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOverrideId, showOverrideId } from '../../../src/domain/plan/override-id.js';

const dataCenters = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);

describe('parseOverrideId', () => {
  test('reads back what is shown, whatever the data center is called', () => {
    fc.assert(
      fc.property(dataCenters, fc.bigInt(1n, 10n ** 18n - 1n), (dataCenter, overrideId) => {
        expect(parseOverrideId(showOverrideId({ dataCenter, overrideId }))).toEqual({ dataCenter, overrideId });
      }),
    );
  });

  test('takes no plan for an override', () => {
    fc.assert(
      fc.property(dataCenters, fc.nat(), (dataCenter, number) => {
        expect(parseOverrideId(`${dataCenter}-${number}`)).toBeUndefined();
      }),
    );
  });

  test.each(['in', 'in-o', 'in-o0', 'in-o03', 'in-oo3', 'IN-o3', 'in-o3 ', `in-o${'9'.repeat(19)}`, ''])(
    'refuses %j',
    (text) => {
      expect(parseOverrideId(text)).toBeUndefined();
    },
  );
});
