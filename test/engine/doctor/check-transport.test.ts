// What `doctor` says about how a URL goes over the network.
import { expect, test } from 'vitest';
import { checkTransport } from '../../../src/engine/doctor/check-transport.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';

const record = createFindingRecorder({ subject: 'in', title: 'Data center "in"' }, 'encryption');

test.each([
  ['local', 'ok'],
  ['verified', 'ok'],
  ['unverified', 'warning'],
  ['plain', 'warning'],
] as const)('%s is %s, with the way out where there is something to do', (transport, level) => {
  for (const server of ['postgres', 'queue', 'meter'] as const) {
    const finding = checkTransport(transport, record, server);
    expect(finding).toMatchObject({ subject: 'in', check: 'encryption', level });
    if (level === 'warning') expect(finding.fix).toContain('docs/how-to/tls.md');
    else expect(finding.fix).toBeNull();
  }
});
