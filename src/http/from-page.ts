// Whether a request could come from a page in a browser of this machine: any page may send one to a port of it. On a
// unix socket none can.
import type { IncomingMessage } from 'node:http';

const THIS_MACHINE = /^(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?$/iu;

/**
 * By what a browser adds and no page can leave out: `Origin`, and a `Host` of another name, which is how a page reads
 * the answers. A proxy may forward the headers of its own caller to /authorize, so they say nothing there.
 */
export function isFromPage({ socket, headers }: IncomingMessage, path: string): boolean {
  if (socket.remoteAddress === undefined || path === '/authorize') return false;
  return headers.origin !== undefined || !THIS_MACHINE.test(headers.host ?? '');
}
