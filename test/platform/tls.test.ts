// The files of TLS that a URL names: one without an end does not fill the memory.
import { expect, test } from 'vitest';
import { createServerTls } from '../../src/platform/tls.js';

test.each(['sslrootcert', 'sslcert', 'sslkey'] as const)('stops reading an endless %s', (name) => {
  const files = { sslrootcert: undefined, sslcert: undefined, sslkey: undefined, [name]: '/dev/zero' };
  const tls = { kind: 'tls', verify: 'host', otherwise: 'fail', files } as const;
  expect(() => createServerTls({ tls, direct: false, key: 'controlDatabase' })).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      message: `controlDatabase: the file that ${name} names has more than 2000000 bytes.`,
    }),
  );
});
