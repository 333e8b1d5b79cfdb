// Ids of calls in flight: texts that a gateway gave, and numbers of calls that brought none. A number is an id within
// this process only; outside of it, it is a text that no other process has. Numbers cost less, and every call has one.
import { randomBytes } from 'node:crypto';

export type CallId = string | number;

const PROCESS = randomBytes(9).toString('base64url');
let made = 0;

/** An id that no call in this process has. */
export function makeCallId(): number {
  made += 1;
  return made;
}

/** The id outside of this process. */
export const toCallText = (id: CallId): string => (typeof id === 'string' ? id : `${PROCESS}${id.toString(36)}`);
