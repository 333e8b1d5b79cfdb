// The slots of calls in flight in the memory of this process, by org and call. One that expired counts no more.

/** Of a call in flight: what it was charged, and until when it holds its slot. */
export interface Slot {
  readonly day: string;
  readonly kind: string;
  readonly credits: number;
  readonly mayGiveBack: boolean;
  readonly expiresAtMs: number;
}

export interface MemorySlots {
  /** How many calls of an org are in flight. */
  count(orgId: string, nowMs: number): number;
  find(orgId: string, callId: string): Slot | undefined;
  take(orgId: string, callId: string, slot: Slot): void;
  /** Returns it; undefined where there is none. */
  free(orgId: string, callId: string): Slot | undefined;
  forgetIdleOrgs(): void;
}

interface OrgSlots {
  readonly calls: Map<string, Slot>;
  /** None expires before: until then nobody has to look at them all. */
  firstExpiryMs: number;
}

export function createMemorySlots(): MemorySlots {
  const orgs = new Map<string, OrgSlots>();

  function dropExpired(org: OrgSlots, nowMs: number): void {
    org.firstExpiryMs = Number.POSITIVE_INFINITY;
    for (const [callId, { expiresAtMs }] of org.calls)
      if (expiresAtMs <= nowMs) org.calls.delete(callId);
      else if (expiresAtMs < org.firstExpiryMs) org.firstExpiryMs = expiresAtMs;
  }

  return {
    count: (orgId, nowMs) => {
      const org = orgs.get(orgId);
      if (org === undefined) return 0;
      if (org.firstExpiryMs <= nowMs) dropExpired(org, nowMs);
      return org.calls.size;
    },
    find: (orgId, callId) => orgs.get(orgId)?.calls.get(callId),
    take: (orgId, callId, slot) => {
      const org = orgs.get(orgId);
      if (org === undefined) {
        orgs.set(orgId, { calls: new Map([[callId, slot]]), firstExpiryMs: slot.expiresAtMs });
        return;
      }
      if (slot.expiresAtMs < org.firstExpiryMs) org.firstExpiryMs = slot.expiresAtMs;
      org.calls.set(callId, slot);
    },
    free: (orgId, callId) => {
      const calls = orgs.get(orgId)?.calls;
      const slot = calls?.get(callId);
      if (slot !== undefined) calls?.delete(callId);
      return slot;
    },
    forgetIdleOrgs: () => {
      for (const [orgId, { calls }] of orgs) if (calls.size === 0) orgs.delete(orgId);
    },
  };
}
