// Calls by their org and id: two orgs may have calls with the same id. Two maps rather than one with a joined key: this
// is asked twice for every call, and a joined key costs more than all the rest of it.

interface NamedCall {
  readonly orgId: string;
  readonly callId: string;
}

export interface CallsByOrg<T> {
  set(of: NamedCall, value: T): void;
  get(of: NamedCall): T | undefined;
  /** True where it was there. */
  delete(of: NamedCall): boolean;
  /** Returns all and forgets them. */
  takeAll(): readonly T[];
}

export function createCallsByOrg<T>(): CallsByOrg<T> {
  const orgs = new Map<string, Map<string, T>>();
  return {
    set: ({ orgId, callId }, value) => {
      const calls = orgs.get(orgId);
      if (calls === undefined) orgs.set(orgId, new Map([[callId, value]]));
      else calls.set(callId, value);
    },
    get: ({ orgId, callId }) => orgs.get(orgId)?.get(callId),
    delete: ({ orgId, callId }) => orgs.get(orgId)?.delete(callId) ?? false,
    takeAll: () => {
      const all = [...orgs.values()].flatMap((calls) => [...calls.values()]);
      orgs.clear();
      return all;
    },
  };
}
