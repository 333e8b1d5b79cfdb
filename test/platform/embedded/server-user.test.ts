// The number that an embedded server of root runs as: nobody else's, in no file of the system.
import { describe, expect, test } from 'vitest';
import { choosePrivateUser } from '../../../src/platform/embedded/server-user.js';

const NONE = { passwd: 'root:x:0:0::/root:/bin/sh\n', group: 'root:x:0:\n', subordinate: 'ann:100000:65536\n' };

describe('choosePrivateUser', () => {
  test('takes the first number without a name', () => {
    expect(choosePrivateUser(NONE)).toEqual({ uid: 60_706, gid: 60_706 });
    expect(choosePrivateUser({ ...NONE, passwd: 'a:x:60706:1::/:/bin/sh' }).uid).toBe(60_707);
    expect(choosePrivateUser({ ...NONE, group: 'a:x:60706:' }).uid).toBe(60_707);
  });

  test('takes none that somebody may be in a user namespace', () => {
    expect(choosePrivateUser({ ...NONE, subordinate: 'ann:60000:707\n# \n\n' }).uid).toBe(60_707);
    expect(choosePrivateUser({ ...NONE, subordinate: 'ann:10000:65536\nbob:90706:1' }).uid).toBe(90_707);
    expect(() => choosePrivateUser({ ...NONE, subordinate: 'ann:1:200000' })).toThrow(/60706 to 61183 and 90706/u);
  });
});
