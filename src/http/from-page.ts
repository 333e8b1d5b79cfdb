// Whether a request could come from a page in a browser of this machine: any page may send one to a port of it. On a
// unix socket none can.
import type { IncomingMessage } from 'node:http';

const THIS_MACHINE = /^(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?$/iu;
/** A person who typed the address, and a page of ours. */
const NOT_ANOTHER_PAGE: readonly (string | undefined)[] = [undefined, 'none', 'same-origin'];

/**
 * By what a browser adds and no page can leave out: `Origin`, `Sec-Fetch-Site`, which is there too where a picture or a
 * frame is asked for, and a `Host` of another name, which is how a page reads the answers. Behind a proxy that forwards
 * the headers of its own caller they say nothing.
 */
export function isFromPage({ socket, headers, headersDistinct }: IncomingMessage): boolean {
  if (socket.remoteAddress === undefined) return false;
  if (headers.origin !== undefined || !NOT_ANOTHER_PAGE.includes(headersDistinct['sec-fetch-site']?.join()))
    return true;
  return !THIS_MACHINE.test(headersDistinct.host?.join() ?? '');
}
