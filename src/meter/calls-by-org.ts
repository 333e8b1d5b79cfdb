// Calls by their org and id: two orgs may have calls with the same id, and an id may be a number or a text.
import type { CallId } from '../stores/meter/call-id.js';

interface NamedCall {
  readonly orgId: string;
  readonly callId: CallId;
}

export interface CallsByOrg<T> {
  set(of: NamedCall, value: T): void;
  get(of: NamedCall): T | undefined;
  /** True where it was there. */
  delete(of: NamedCall): boolean;
}

export function createCallsByOrg<T>(): CallsByOrg<T> {
  const orgs = new Map<string, Map<CallId, T>>();
  return {
    set: ({ orgId, callId }, value) => {
      const calls = orgs.get(orgId);
      if (calls === undefined) orgs.set(orgId, new Map([[callId, value]]));
      else calls.set(callId, value);
    },
    get: ({ orgId, callId }) => orgs.get(orgId)?.get(callId),
    delete: ({ orgId, callId }) => orgs.get(orgId)?.delete(callId) ?? false,
  };
}
