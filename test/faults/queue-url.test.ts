// A queue that cannot be reached is named by host and port, and by nothing else of its URL.
import { expect, test } from 'vitest';
import { checkQueue, initQueue } from '../../jobs/queue/connection.js';

test.each([
  ['redis://somebody:secret@127.0.0.1:1', '127.0.0.1:1'],
  ['postgres://somebody:secret@127.0.0.1:1/nothing', '127.0.0.1:1'],
  ['postgres://somebody:secret@[::1]:1/nothing', '[::1]:1'],
])('checkQueue and initQueue of %s name its server alone', async (url, server) => {
  for (const act of [checkQueue, initQueue]) {
    const failure = await act(url).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'queue_unreachable',
      message: expect.stringMatching(/^The queue at \S+ cannot be reached \(.+\)\.$/u),
      next: 'Check the URL of queue in the configuration, and that its server runs.',
    });
    expect(String(failure)).toContain(` at ${server} `);
    expect(String(failure)).not.toMatch(/secret|somebody/u);
  }
});
