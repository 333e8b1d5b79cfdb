// Headers of a call, as a proxy sends them.
import { expect, test } from 'vitest';
import { acquireBody, readCallHeaders } from '../../src/http/meter-requests.js';

const HEADERS = { 'x-org-id': ['7'], 'x-call-kind': ['list'], 'x-call-from': ['0'], 'x-call-limit': ['10'] };
const isCall = (headersDistinct: Readonly<Record<string, string[]>>): boolean =>
  acquireBody.safeParse(readCallHeaders({ headersDistinct }).call).success;

test.each(['x-org-id', 'x-call-kind', 'x-call-id', 'x-call-records', 'x-call-from', 'x-call-limit'])(
  'a call whose %s comes twice is none: a proxy added it to that of its client',
  (name) => {
    expect(isCall(HEADERS)).toBe(true);
    for (const twice of [
      ['7', '8'],
      ['7', '7'],
      ['', '7'],
    ])
      expect(isCall({ ...HEADERS, [name]: twice })).toBe(false);
  },
);
